package workflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/engine/api"
)

// ConnectAPI reaches a control plane and finds the keys: what a command needs that speaks
// to the API and changes no host. All are asked at once, and it goes on with the first that
// answers and knows the cluster; the others serve as further ways to the API when they come.
func (s *Session) ConnectAPI(ctx context.Context) error {
	a := s.approach(ctx, s.cluster.ControlPlanes(), func(cluster.Host) hosts.Query { return hosts.Query{} })
	var unknown error
	for s.keys == nil && a.left > 0 {
		if !s.await(ctx, a) {
			return ctx.Err()
		}
		if len(s.hosts) == 0 {
			continue
		}
		unknown = s.findKeys(ctx)
		if !mayBeKnown(unknown) {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case len(s.hosts) == 0:
		return fmt.Errorf("reach a control plane of %s: %w", s.cluster.Name, s.downErrors())
	case s.keys == nil:
		return fmt.Errorf("find the keys of cluster %s: %w", s.cluster.Name, errors.Join(unknown, s.downErrors()))
	}
	if err := s.openClient(); err != nil {
		return err
	}
	if a.left > 0 {
		s.api.Await()
		a.settled = make(chan struct{})
		go s.receive(a)
	}
	return nil
}

// mayBeKnown tells whether the next control plane that comes may know the keys: where the others
// have none, or could not give them. No host helps where one is another cluster's, or where
// the state folder cannot be read.
func mayBeKnown(err error) bool {
	_, unread := errors.AsType[*unreadKeys](err)
	return err == nil || unread || errors.Is(err, errNoKeys)
}

// API is the client of the cluster's API, once that is connected to.
func (s *Session) API() *api.Client { return s.api }

func (s *Session) closeClient() {
	if s.api != nil {
		s.api.Close()
		s.api = nil
	}
}

// openClient makes the client that speaks to the API through the control planes that
// are connected and the session's viaHosts; it is kept for the session.
func (s *Session) openClient() error { return s.openClientBy(s.hosts) }

// openClientBy is openClient through these hosts.
func (s *Session) openClientBy(reached map[string]hosts.Host) error {
	if s.api != nil {
		return nil
	}
	leaf, err := s.keys.operators(s.cluster, certs.SuperAdminSpec(s.cluster)) // around RBAC
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
		AllHosts:  maps.Clone(reached),
		CA:        s.keys.pki.CA.Cert,
		Cert:      leaf.Cert,
		Key:       leaf.Key,
		Etcd:      etcd,
		Snapshots: s.snapshots,
		APICall:   time.Duration(s.cluster.Timeouts.KubernetesAPICall),
		EtcdCall:  time.Duration(s.cluster.Timeouts.EtcdAPICall),
	}
	for _, h := range s.cluster.ControlPlanes() {
		if host, up := reached[h.Name]; up {
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
	addresses, err := manifests.JoinAddresses(s.cluster)
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
		return api.EtcdOptions{CA: s.keys.pki.EtcdCA.Cert, Cert: leaf.Cert, Key: leaf.Key, Loopback: manifests.Loopback(s.cluster)}, nil
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
