package certs_test

import (
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

const (
	day    = 24 * time.Hour
	year   = 365 * day
	decade = 10 * year
)

func demo() *cluster.Cluster {
	c := &cluster.Cluster{
		Name: "demo",
		Hosts: []cluster.Host{
			{Name: "cp-1", Addresses: []string{"192.0.2.11"}, Roles: []cluster.Role{cluster.RoleControlPlane}},
			{Name: "worker-1", Addresses: []string{"192.0.2.21"}, Roles: []cluster.Role{cluster.RoleWorker}},
		},
	}
	cluster.Defaults(c)
	return c
}

func mintPKI(t *testing.T) certs.PKI {
	t.Helper()
	pki, err := mint.PKI(cluster.DefaultKeyAlgorithm, decade, now)
	if err != nil {
		t.Fatal(err)
	}
	return pki
}

func mintLeaf(t *testing.T, pki certs.PKI, spec certs.Spec) []byte {
	t.Helper()
	leaf, err := mint.Leaf(pki, spec, year, now)
	if err != nil {
		t.Fatal(err)
	}
	return leaf.Cert
}

// specOf is a certificate of the demo's control plane.
func specOf(t *testing.T, name string) certs.Spec {
	t.Helper()
	c := demo()
	entry, ok := certs.Find(name)
	if !ok {
		t.Fatalf("the catalogue has no %s", name)
	}
	return entry.Spec(c, c.Hosts[0])
}
