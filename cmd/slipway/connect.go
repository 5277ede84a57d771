package main

import (
	"context"
	"fmt"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/engine/api"
)

// connectControlPlanes reaches the control planes; one is enough.
func (s *session) connectControlPlanes(ctx context.Context) error {
	if err := s.connect(ctx, s.cluster.ControlPlanes()); err != nil {
		return err
	}
	if len(s.hosts) == 0 {
		return fmt.Errorf("reach a control plane of %s: %w", s.cluster.Name, s.downErrors())
	}
	return nil
}

// connectAPI reaches the control planes and finds the keys: what a command needs that
// speaks to the API and changes no host.
func (s *session) connectAPI(ctx context.Context) error {
	if err := s.connectControlPlanes(ctx); err != nil {
		return err
	}
	if err := s.observe(ctx, func(cluster.Host) hosts.Query { return hosts.Query{} }); err != nil {
		return err
	}
	if err := s.findKeys(ctx); err != nil {
		return fmt.Errorf("find the keys of cluster %s: %w", s.cluster.Name, err)
	}
	return s.openClient()
}

// openClient makes the client that speaks to the API through the control planes that
// are connected; it is kept for the session.
func (s *session) openClient() error {
	if s.api != nil {
		return nil
	}
	leaf, err := s.keys.superAdmin(s.cluster)
	if err != nil {
		return err
	}
	options := api.Options{
		Hosts:     map[string]hosts.Host{},
		Endpoints: map[string]string{},
		CA:        s.keys.pki.CA.Cert,
		Cert:      leaf.Cert,
		Key:       leaf.Key,
	}
	for _, h := range s.cluster.ControlPlanes() {
		if host, up := s.hosts[h.Name]; up {
			options.Hosts[h.Name] = host
			options.Endpoints[h.Name] = manifests.APIAddress(s.cluster, h)
		}
	}
	s.api, err = api.New(options)
	return err
}

// operatorsOwn is where the state folder keeps what belongs to no host.
const operatorsOwn = "operator"

// superAdmin is the credential for the way around RBAC: kept with the operator only.
func (k *keys) superAdmin(c *cluster.Cluster) (certs.Leaf, error) {
	if leaf, ok := k.leaves[operatorsOwn][certs.SuperAdmin]; ok {
		return leaf, nil
	}
	leaf, err := k.mintOrKeep(c, operatorsOwn, certs.SuperAdminSpec(c))
	if err != nil {
		return certs.Leaf{}, fmt.Errorf("mint %s: %w", certs.SuperAdmin, err)
	}
	k.leaves[operatorsOwn] = map[string]certs.Leaf{certs.SuperAdmin: leaf}
	return leaf, nil
}
