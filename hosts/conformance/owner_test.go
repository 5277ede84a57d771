package conformance

import (
	"errors"

	"github.com/slipway-k8s/slipway/hosts"
)

func (t *trial) leases() {
	t.twice(hosts.TakeLease{Holder: "first@operator"})
	another := t.Another(t.T)
	err := t.fails(another, hosts.TakeLease{Holder: "second@operator"})
	var holder hosts.LeaseHolder
	if err.Kind != hosts.KindLease || !errors.As(err, &holder) || holder.Holder != "first@operator" {
		t.Fatalf("the lease is refused with kind %q, holder %+v: %v", err.Kind, holder, err)
	}
	facts, seeErr := another.Observe(t.ctx, hosts.Query{})
	if seeErr != nil || facts.Lease == nil || facts.Lease.Holder != "first@operator" {
		t.Fatalf("another sees the lease as %+v, %v", facts.Lease, seeErr)
	}
	t.twice(hosts.ReleaseLease{})
	if _, err := another.Do(t.ctx, hosts.TakeLease{Holder: "second@operator"}, nil); err != nil {
		t.Fatalf("the lease was not given back: %v", err)
	}
	if _, err := another.Do(t.ctx, hosts.ReleaseLease{}, nil); err != nil {
		t.Fatal(err)
	}
	t.twice(hosts.TakeLease{Holder: "first@operator"})
	if err := t.host.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := another.Do(t.ctx, hosts.TakeLease{Holder: "second@operator"}, nil); err != nil {
		t.Fatalf("the lease was not freed by closing: %v", err)
	}
}

func (t *trial) claims() {
	t.twice(hosts.Claim{Cluster: hosts.Identity{ID: "1111", Name: "one"}})
	err := t.fails(t.host, hosts.Claim{Cluster: hosts.Identity{ID: "2222", Name: "two"}})
	if err.Kind != hosts.KindForeign {
		t.Fatalf("another cluster's claim fails with kind %q: %v", err.Kind, err)
	}
	// What an older Slipway claimed learns which machine it is, and goes on to be that one.
	t.twice(hosts.Claim{Cluster: hosts.Identity{ID: "1111", Name: "one"}, Node: "w-1"})
	err = t.fails(t.host, hosts.Claim{Cluster: hosts.Identity{ID: "1111", Name: "one"}, Node: "w-2"})
	if err.Kind != hosts.KindForeign {
		t.Fatalf("a claim for another node fails with kind %q: %v", err.Kind, err)
	}
	facts := t.observe(hosts.Query{})
	want := hosts.Machine{Node: "w-1", Hostname: facts.Hostname, MachineID: facts.MachineID}
	if have := facts.Record.Machine; have == nil || *have != want {
		t.Fatalf("the record has the machine %+v, want %+v", have, want)
	}
}
