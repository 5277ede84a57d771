package workflow

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/slipway-k8s/slipway/certs/store"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/view"
)

// input is what the planners compute from.
func (s *Session) input() (phases.Input, error) {
	in := phases.Input{View: view.View{
		Cluster:      s.cluster,
		Bill:         s.bill,
		Facts:        s.facts,
		Unreached:    s.down,
		Observed:     s.seen,
		ClusterFacts: s.live,
		Now:          time.Now(),
	}}
	if s.keys != nil {
		in.PKI, in.Leaves, in.ClusterID = s.keys.pki, s.keys.leaves, s.keys.identity(s.cluster)
		in.Begun, in.JoinedBefore = s.noted((*store.Folder).Begun), s.noted((*store.Folder).Joined)
	}
	in.RegistryFiles = map[string][]byte{}
	for _, registry := range s.cluster.Registries {
		if err := readFiles(in.RegistryFiles, registry.CAFile, registry.CredentialsFile); err != nil {
			return phases.Input{}, fmt.Errorf("read a file of registry %s: %w", registry.Name, err)
		}
	}
	var err error
	in.EtcdFiles, err = s.etcdFiles()
	return in, err
}

// inputOf is the input of a workflow's plan, with what was asked for.
func (s *Session) inputOf(r *Run) (phases.Input, error) {
	in, err := s.input()
	in.Hosts, in.Force, in.RemoveStale, in.IgnoreChecks = r.Hosts, r.Force, r.RemoveStale, r.IgnoreChecks
	if s.back != nil {
		in.Back, in.BackFrom, in.KeptContents = s.back.hosts, s.back.before, s.back.contents
	}
	in.HostsOnly = r.HostsOnly
	in.PauseAfter, in.Without, in.Boots = r.PauseAfter, r.Without, r.boots
	if err == nil {
		in.WorkersAtOnce, err = workersAtOnce(s.cluster, r.Request)
	}
	in.Workloads, in.Drains = s.workloads, s.willDrain
	in.SnapshotRoom, in.SnapshotFolder = s.snapshots.room(), s.snapshots.path()
	in.Drain, in.OnBlocked = s.drainOptions(r.Drain, r.Force)
	return in, err
}

// workersAtOnce is how many workers have their turn at a time: as asked for, or as the file says; 0: neither does.
func workersAtOnce(c *cluster.Cluster, r Request) (int, error) {
	return cluster.AtOnce(cmp.Or(r.WorkersAtOnce, c.Upgrade.WorkersAtOnce), len(workersOf(c)))
}

// workersOf are the nodes that are no control planes.
func workersOf(c *cluster.Cluster) []cluster.Host {
	return slices.DeleteFunc(slices.Clone(c.Hosts), func(h cluster.Host) bool {
		return !h.IsNode() || h.HasRole(cluster.RoleControlPlane)
	})
}

// etcdFiles are the contents of the external etcd's files, where there is such an etcd.
func (s *Session) etcdFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	if external := s.cluster.Etcd.External; external != nil {
		if err := readFiles(files, external.CAFile, external.CertFile, external.KeyFile); err != nil {
			return nil, fmt.Errorf("read a file of the external etcd: %w", err)
		}
	}
	return files, nil
}

// readFiles adds the files' contents by their paths; an empty path is none.
func readFiles(contents map[string][]byte, paths ...string) error {
	for _, path := range paths {
		if path == "" {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		contents[path] = data
	}
	return nil
}

// noted are the hosts of the file that the state folder has a note of.
func (s *Session) noted(has func(*store.Folder, string) bool) map[string]bool {
	noted := map[string]bool{}
	for _, name := range s.HostNames() {
		if folder := s.folder(); folder != nil && has(folder, name) {
			noted[name] = true
		}
	}
	return noted
}
