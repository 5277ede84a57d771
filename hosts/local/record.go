//go:build linux

package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// recordVersion is the version of the record's own format.
const recordVersion = 1

// recordFile is the inventory and undo record on disk. Several agents may look at it and
// one at a time changes it.
type recordFile struct {
	path string
	lock string // a file in the run directory that updates lock
	mu   sync.Mutex
}

// read returns the record, or nil where there is none.
func (r *recordFile) read() (*hosts.Record, error) {
	data, err := readIfThere(r.path)
	if err != nil {
		return nil, unread(fmt.Errorf("read the record: %w", err), "see that the host's disk works")
	}
	if data == nil {
		return nil, nil
	}
	var record hosts.Record
	if err := json.Unmarshal(data, &record); err != nil {
		return nil, unread(fmt.Errorf("read the record %s: %w", r.path, err),
			"restore "+r.path+" from a backup of the host; without one, install the host anew: nothing else says what Slipway made there")
	}
	if record.Version > recordVersion {
		return nil, unread(fmt.Errorf("read the record %s: it has version %d, a newer Slipway's; this one knows %d",
			r.path, record.Version, recordVersion), "use the Slipway that wrote it, or a newer one")
	}
	return &record, nil
}

// unread is the error of a record that is not understood: whatever is asked of the host fails by it.
func unread(err error, fix string) error {
	return &hosts.Error{Kind: hosts.KindBroken, Err: err, Fix: fix}
}

// update changes the record and syncs it; a change that leaves it as it was writes nothing.
func (r *recordFile) update(change func(*hosts.Record)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	unlock, err := lockFile(r.lock)
	if err != nil {
		return fmt.Errorf("lock the record: %w", err)
	}
	defer unlock()
	record, err := r.read()
	if err != nil {
		return err
	}
	var before []byte
	if record == nil {
		record = &hosts.Record{Version: recordVersion}
	} else if before, err = json.Marshal(record); err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	change(record)
	after, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	if slices.Equal(before, after) {
		return nil
	}
	if err := writeAtomically(r.path, after, attributes{mode: 0o600}, modeState); err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	return nil
}

// lockFile takes an exclusive lock on a file, waiting for it, and returns what frees it.
func lockFile(path string) (func(), error) {
	if err := makeParents(path, modeParents); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return func() { file.Close() }, nil
}

// own, disown and remember are changes of the record, to be made when an action is applied.
func own(paths ...hosts.Owned) func(*hosts.Record) {
	return func(r *hosts.Record) { r.Own(paths...) }
}

func disown(path string, below bool) func(*hosts.Record) {
	return func(r *hosts.Record) { r.Disown(path, below) }
}

func remember(priors ...hosts.Prior) func(*hosts.Record) {
	return func(r *hosts.Record) { r.Remember(priors...) }
}

// both joins record changes; nil ones are left out.
func both(changes ...func(*hosts.Record)) func(*hosts.Record) {
	return func(r *hosts.Record) {
		for _, change := range changes {
			if change != nil {
				change(r)
			}
		}
	}
}

// addOnce appends a name to a list unless it is there.
func addOnce(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// claim notes which cluster the host belongs to and which machine it is; a host of another
// cluster is refused, and one that was made another node of this one.
func (h *Host) claim(ctx context.Context, a hosts.Claim) (hosts.Outcome, error) {
	if a.Cluster.ID == "" {
		return hosts.Outcome{}, errors.New("the cluster has no identity")
	}
	record, err := h.record.read()
	if err != nil {
		return hosts.Outcome{}, err
	}
	machine, detail := (*hosts.Machine)(nil), "for cluster "+a.Cluster.Name
	if record != nil {
		if err := mayClaim(*record, a); err != nil {
			return hosts.Outcome{}, err
		}
		machine = record.Machine
		switch {
		case record.Cluster == a.Cluster && (a.Node == "" || machine != nil):
			return unchanged, nil
		case record.Cluster == a.Cluster:
			detail = "as node " + a.Node
		case record.Cluster != hosts.Identity{}:
			detail = "cluster " + record.Cluster.Name + " is now called " + a.Cluster.Name
		}
	}
	if machine == nil && a.Node != "" {
		name, _, err := h.hostnames()
		if err != nil {
			return hosts.Outcome{}, err
		}
		machine = &hosts.Machine{Node: a.Node, Hostname: name, MachineID: h.line("/etc/machine-id")}
	}
	return h.apply(ctx, change{
		action: a,
		detail: detail,
		note:   func(r *hosts.Record) { r.Cluster, r.Machine = a.Cluster, machine },
		act:    func(context.Context) error { return nil },
	})
}

// mayClaim refuses a claim of what the record gives to another.
func mayClaim(record hosts.Record, a hosts.Claim) error {
	if have := record.Cluster; have.ID != "" && have.ID != a.Cluster.ID {
		return belongsElsewhere(have)
	}
	if m := record.Machine; m != nil && a.Node != "" && m.Node != a.Node {
		return &hosts.Error{
			Kind: hosts.KindForeign,
			Err:  fmt.Errorf("it is the node %s of cluster %s, not %s", m.Node, record.Cluster.Name, a.Node),
			Fix:  "see that ssh.host of the cluster file leads each name to its own machine",
		}
	}
	return nil
}

func belongsElsewhere(cluster hosts.Identity) error {
	return &hosts.Error{
		Kind: hosts.KindForeign,
		Err:  fmt.Errorf("it belongs to cluster %s (%.12s)", cluster.Name, cluster.ID),
		Fix:  "use that cluster's file, or take the host out of it first: slipway reset",
	}
}
