//go:build linux

package local_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// faulty is a name service, and a systemd, with a fault.
type faulty struct{ *fakeSystemd }

func (faulty) LookupHost(context.Context, string) ([]string, error) { panic("out of cheese") }

func (f faulty) Unit(ctx context.Context, name string) (local.UnitState, error) {
	if name == "faulty.service" {
		panic("out of cheese")
	}
	return f.fakeSystemd.Unit(ctx, name)
}

func (faulty) Journal(context.Context, string, int) ([]string, error) { panic("out of cheese") }

// faulty opens the machine with a name service and a systemd that have a fault.
func (m *machine) faulty() *local.Host {
	m.t.Helper()
	f := faulty{m.systemd}
	host, err := local.New(local.Options{Root: m.root, Systemd: f, Containerd: m.containerd, Resolver: f, Holder: "tester"})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = host.Close() })
	return host
}

func isFault(err error, words ...string) bool {
	said := func(word string) bool { return strings.Contains(err.Error(), word) }
	return errors.Is(err, hosts.ErrFault) && !slices.ContainsFunc(append(words, "out of cheese", "fault_test.go:"), func(word string) bool { return !said(word) })
}

// TestAPanicFailsItsCallAlone: each of these panics in a goroutine of its own, where it would
// end the whole agent.
func TestAPanicFailsItsCallAlone(t *testing.T) {
	m := newMachine(t)
	host := m.faulty()
	for what, query := range map[string]hosts.Query{
		"units":         {Units: []string{"faulty.service"}},
		"names":         {Names: []string{"api.internal"}},
		hosts.LookReach: {Reach: []string{"api.internal:6443"}},
	} {
		if _, err := host.Observe(t.Context(), query); !isFault(err, "look at the host: "+what) {
			t.Errorf("a look for %s ends with %v", what, err)
		}
	}
	blob := layer(t, map[string]string{"tool": "content"})
	m.upload(host, blob)
	set := hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{unpackFile("/bin/tool", blob, "tool", "content")}}
	_, err := host.Do(t.Context(), set, func(hosts.Progress) { panic("out of cheese") })
	if !isFault(err, hosts.Describe(set).Deed, blob.Ref) {
		t.Errorf("the action ends with %v", err)
	}
	m.do(host, set)
}

// TestEvidenceTellsAFault and is collected all the same.
func TestEvidenceTellsAFault(t *testing.T) {
	m := newMachine(t)
	m.systemd.units["kubelet.service"] = local.UnitState{Load: "loaded", Active: "active", Sub: "running"}
	var told []string
	for _, evidence := range m.observe(m.faulty(), hosts.Query{Evidence: true}).Evidence {
		if evidence.Source == hosts.SourceSystemd || evidence.Source == "kubelet.service" {
			told = append(told, evidence.Lines...)
		}
	}
	if len(told) != 2 || !strings.HasPrefix(told[0], "active") || !strings.Contains(told[1], "out of cheese, at ") {
		t.Errorf("the evidence is %q", told)
	}
}
