package workflow

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/bundle/archive"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/store"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/ssh"
	"github.com/slipway-k8s/slipway/images"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/forecast"
)

// Options are what a session is opened with.
type Options struct {
	File   string // the cluster file's name, for messages; what it names lies beside it
	Data   []byte // what is in it
	Bundle string // the bundle's file; empty for none
	// Version is this program's, and Agent the one that it carries, for Linux on this machine's
	// architecture.
	Version string
	Agent   func() (ssh.Binary, error)
	Login   Login
	Dial    Dialer // by SSH unless said
	// Ask and Note are for a Probe, which has no front end; both may be nil.
	Ask  AskSecret
	Note func(format string, args ...any)
}

// Session is what one command knows: what is wanted, and what is there.
type Session struct {
	Options
	cluster *cluster.Cluster
	archive *archive.Archive // nil without a bundle
	bill    bundle.Bill
	back    *kept       // what a rollback goes back to
	images  *images.Set // the user's own, for image load

	logins *logins
	connections
	observation
	lease
	keys   *keys            // nil while they are not known
	unread map[string]error // why a control plane's keys could not be read
	api    *api.Client      // nil while the cluster's keys are not known
	// keysOf reads the keys that lie on a control plane, or says why there are none yet; nil: it is waited for them.
	keysOf func(context.Context, cluster.Host, hosts.Host) (certs.PKI, error)
	// snapshots is where those of etcd go.
	snapshots *snapshots
	// viaHosts are hosts that are not in the cluster yet, and from which its API is reached.
	viaHosts []string
	refresh  chan struct{} // holds one while Watch is to look at once
}

// Open reads the cluster file and, where one is named, the bundle. No host is touched.
func Open(options Options, front Frontend) (*Session, error) {
	if err := options.Login.Check(); err != nil {
		return nil, err
	}
	c, err := loadFor(options, cluster.DefaultKubernetesVersion)
	if err != nil {
		return nil, err
	}
	s := newSession(c, front)
	s.Options = options
	s.logins = newLogins(options.Login, options.Version,
		func(ctx context.Context, question Secret) (string, error) { return front.Secret(ctx, question) },
		func(format string, args ...any) { front.Note(format, args...) })
	if s.dial = options.Dial; s.dial == nil {
		s.dial = s.logins.by(s.agentBinary)
	}
	if options.Bundle == "" {
		return s, nil
	}
	trusted, err := trustOf(c)
	if err != nil {
		return nil, err
	}
	if s.archive, err = trusted.openBundle(options.Bundle); err != nil {
		return nil, err
	}
	s.bill = s.archive.Bill()
	// A bundle of a version that cannot be installed is a finding, which says more.
	if v, err := cluster.ParseVersion(s.bill.KubernetesVersion); err == nil && cluster.Installable(v) == nil {
		if s.cluster, err = loadFor(options, s.bill.KubernetesVersion); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// loadFor reads the cluster file; without a Kubernetes version in it, it means the one given.
func loadFor(options Options, kubernetes string) (*cluster.Cluster, error) {
	c, err := cluster.LoadFor(options.Data, kubernetes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", options.File, err)
	}
	c.MapFiles(func(path string) string { return beside(options.File, path) })
	return c, nil
}

func newSession(c *cluster.Cluster, front Frontend) *Session {
	s := &Session{
		cluster:     c,
		connections: connections{stages: stages{front}, hosts: map[string]hosts.Host{}, down: map[string]error{}},
		observation: observation{facts: map[string]hosts.Facts{}, seen: map[string]time.Time{}},
		unread:      map[string]error{},
		refresh:     make(chan struct{}, 1),
	}
	s.snapshots = &snapshots{cluster: c.Name, folder: s.folder}
	return s
}

// beside resolves a path that stands in a file: ~ is the operator's home, and what is
// relative is beside the file that says it.
func beside(file, path string) string {
	switch {
	case path == "" || filepath.IsAbs(path):
		return path
	case strings.HasPrefix(path, "~/"):
		home, err := os.UserHomeDir()
		if err != nil {
			return path
		}
		return filepath.Join(home, path[2:])
	}
	return filepath.Join(filepath.Dir(file), path)
}

// Close ends every connection.
func (s *Session) Close() {
	if s.archive != nil {
		_ = s.archive.Close()
	}
	if s.images != nil {
		_ = s.images.Close()
	}
	s.connections.close()
	if s.api != nil {
		s.api.Close()
	}
}

// agentBinary is the agent for a host: the one that this program carries where that fits, else
// the bundle's.
func (s *Session) agentBinary(ctx context.Context, platform ssh.Platform) (ssh.Binary, error) {
	agent, why := carried(s.Agent, platform, fmt.Sprintf("name a bundle for %s", platform))
	if why == nil {
		return agent, nil
	}
	if s.archive == nil || s.bill.Platform != (bundle.Platform{OS: platform.OS, Arch: platform.Arch}) {
		return ssh.Binary{}, why
	}
	set, ok := s.bill.Set(bundle.SetAgent)
	if !ok || len(set.Files) == 0 {
		return ssh.Binary{}, fmt.Errorf("find an agent for %s: the bundle has none in it, and %w", platform, why)
	}
	file := set.Files[0]
	return ssh.Binary{
		SHA256: strings.TrimPrefix(file.Digest, "sha256:"),
		Size:   file.Size,
		Open:   func() (io.ReadCloser, error) { return s.archive.OpenFile(ctx, file) },
	}, nil
}

// folder is where the keys are kept; nil where they are not yet, or there are none.
func (s *Session) folder() *store.Folder {
	if s.keys == nil {
		return nil
	}
	return s.keys.folder
}

// Name is the cluster's.
func (s *Session) Name() string { return s.cluster.Name }

// HostNames are those of the file, in its order.
func (s *Session) HostNames() []string {
	var names []string
	for _, h := range s.cluster.Hosts {
		names = append(names, h.Name)
	}
	return names
}

// holder says who is at work, for leases and journals.
func holder() string {
	name := "unknown"
	if current, err := user.Current(); err == nil {
		name = current.Username
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "unknown"
	}
	return fmt.Sprintf("%s@%s, process %d", name, machine, os.Getpid())
}

// lease is the hosts' lease: one operator at a time works on them.
type lease struct {
	first   bool   // it is taken before hosts are looked at
	release func() // gives it back; nil where it is not held
}

func (l *lease) held() bool { return l.release != nil }

func (l *lease) giveBack() {
	if l.held() {
		l.release()
	}
	l.release = nil
}

// observation is what was seen.
type observation struct {
	facts map[string]hosts.Facts // of the hosts that answered
	seen  map[string]time.Time   // when, by this machine's clock
	live  hosts.ClusterFacts
	// workloads is what runs in the cluster, where that was looked at.
	workloads *forecast.State
	willDrain []forecast.Set // the hosts that the plan will drain, where that was asked
}

func (o *observation) note(name string, facts hosts.Facts) {
	o.facts[name], o.seen[name] = facts, time.Now()
}
