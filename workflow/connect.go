package workflow

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/engine/api"
)

// reach connects to the hosts that the plan depends on, and looks at them.
func (s *Session) reach(ctx context.Context, r *Run) error {
	rest := r.reach(s.cluster, r.Request)
	if r.few != nil {
		more, enough, err := s.reachFew(ctx, r)
		if err != nil || enough {
			return err
		}
		rest = more
	}
	if err := s.connect(ctx, rest); err != nil {
		return err
	}
	if s.api != nil { // it knows only those that were connected before
		s.api.Close()
		s.api = nil
	}
	if err := s.leaseFirst(ctx); err != nil {
		return err
	}
	return s.look(ctx, r)
}

// leaseFirst takes the hosts before they are looked at, where nobody is going to be asked:
// then the plan is made of what nobody else can change any more.
func (s *Session) leaseFirst(ctx context.Context) error {
	if !s.leasing {
		return nil
	}
	return s.lease(ctx)
}

// reachFew connects to the workflow's few hosts, looks at them and, from them, at the cluster.
// Where that is not enough it tells who else there is to connect to: all, if the few do not
// reach the cluster's API. Then what went wrong is told by all of them.
func (s *Session) reachFew(ctx context.Context, r *Run) (more []cluster.Host, enough bool, err error) {
	wanted := r.reach(s.cluster, r.Request)
	few, folder := r.few(s, r.Request)
	if len(few) == 0 {
		return wanted, false, nil
	}
	if err := s.connect(ctx, few); err != nil {
		return nil, false, err
	}
	if err := s.leaseFirst(ctx); err != nil {
		return nil, false, err
	}
	for _, h := range few {
		if _, up := s.hosts[h.Name]; up {
			s.viaHosts = append(s.viaHosts, h.Name)
		}
	}
	// Whose cluster it is no host's record has to tell: its API is believed only with a
	// certificate by the authority of the folder.
	shown := s.useFolder(folder) == nil && s.look(ctx, r) == nil && s.live.Reachable
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if shown {
		in, err := s.input()
		if err != nil {
			return nil, false, err
		}
		wanted = r.needs(in)
	} else {
		s.keys, s.viaHosts = nil, nil
	}
	more = slices.DeleteFunc(slices.Clone(wanted), func(h cluster.Host) bool { return s.tried(h.Name) })
	return more, shown && len(more) == 0, nil
}

// tried tells whether it is known if a host answers.
func (s *Session) tried(name string) bool {
	_, up := s.hosts[name]
	_, down := s.down[name]
	return up || down
}

// openClient makes the client that speaks to the API through the control planes that
// are connected and the session's viaHosts; it is kept for the session.
func (s *Session) openClient() error {
	if s.api != nil {
		return nil
	}
	leaf, err := s.keys.superAdmin(s.cluster)
	if err != nil {
		return err
	}
	etcd, err := s.etcdOptions()
	if err != nil {
		return err
	}
	options := api.Options{
		Hosts:     map[string]hosts.Host{},
		Endpoints: map[string]string{},
		Health:    map[string]map[string]string{},
		AllHosts:  maps.Clone(s.hosts),
		CA:        s.keys.pki.CA.Cert,
		Cert:      leaf.Cert,
		Key:       leaf.Key,
		Etcd:      etcd,
	}
	for _, h := range s.cluster.ControlPlanes() {
		if host, up := s.hosts[h.Name]; up {
			options.Hosts[h.Name] = host
			options.Endpoints[h.Name] = manifests.APIAddress(s.cluster, h)
			options.Health[h.Name] = manifests.HealthURLs(s.cluster, h)
		}
	}
	if options.Ways, err = s.ways(); err != nil {
		return err
	}
	s.api, err = api.New(options)
	return err
}

// ways are how the viaHosts reach the API.
func (s *Session) ways() ([]api.Way, error) {
	if len(s.viaHosts) == 0 {
		return nil, nil
	}
	addresses, err := manifests.Entrances(s.cluster)
	if err != nil {
		return nil, err
	}
	var ways []api.Way
	for _, name := range s.viaHosts {
		for _, address := range addresses {
			ways = append(ways, api.Way{From: name, Host: s.hosts[name], Address: address})
		}
	}
	return ways, nil
}

// etcdOptions are how the cluster's etcd is reached: by a credential of the operator's own
// or, where the user has brought an etcd, by the one that came with it.
func (s *Session) etcdOptions() (api.EtcdOptions, error) {
	external := s.cluster.Etcd.External
	if external == nil {
		leaf, err := s.keys.operators(s.cluster, certs.EtcdClientSpec(s.cluster))
		if err != nil {
			return api.EtcdOptions{}, err
		}
		return api.EtcdOptions{CA: s.keys.pki.EtcdCA.Cert, Cert: leaf.Cert, Key: leaf.Key}, nil
	}
	files, err := s.etcdFiles()
	if err != nil {
		return api.EtcdOptions{}, err
	}
	return api.EtcdOptions{
		CA: files[external.CAFile], Cert: files[external.CertFile], Key: files[external.KeyFile],
		External: external.Endpoints,
	}, nil
}

// operatorsOwn is where the state folder keeps what belongs to no host.
const operatorsOwn = "operator"

// superAdmin is the credential for the way around RBAC: kept with the operator only.
func (k *keys) superAdmin(c *cluster.Cluster) (certs.Leaf, error) {
	return k.operators(c, certs.SuperAdminSpec(c))
}

// operators gives a credential that is on no host.
func (k *keys) operators(c *cluster.Cluster, spec certs.Spec) (certs.Leaf, error) {
	if leaf, ok := k.leaves[operatorsOwn][spec.Name]; ok {
		return leaf, nil
	}
	leaf, err := k.mintOrKeep(c, operatorsOwn, spec)
	if err != nil {
		return certs.Leaf{}, fmt.Errorf("mint %s: %w", spec.Name, err)
	}
	if k.leaves[operatorsOwn] == nil {
		k.leaves[operatorsOwn] = map[string]certs.Leaf{}
	}
	k.leaves[operatorsOwn][spec.Name] = leaf
	return leaf, nil
}
