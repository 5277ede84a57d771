package workflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/certs/store"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
)

// settleKeys finds the cluster's keys or, where the workflow may, makes those of a new one.
func (s *Session) settleKeys(ctx context.Context, r *Run) error {
	err := s.findKeys(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoKeys) && r.mints && s.cluster.ID == "" && len(s.claims()) == 0:
		s.keys, err = newCluster(s.cluster)
		return err
	case errors.Is(err, errNoKeys) && r.alone:
		return nil
	}
	return fmt.Errorf("find the keys of cluster %s: %w", s.cluster.Name, errors.Join(err, s.downErrors()))
}

// findKeys gets the cluster's keys. Which cluster that is, the file says by its id or else the
// state folder by the file's name; what the hosts have noted may confirm it, never choose it.
// Only a machine that knows neither reads the keys back from the hosts. It answers errNoKeys
// where no host belongs to a cluster of this name: a name alone never says which is meant.
func (s *Session) findKeys(ctx context.Context) error {
	claimed, err := s.claimed()
	if err != nil {
		return err
	}
	if claimed == "" && s.cluster.ID == "" {
		return errNoKeys
	}
	states, err := openStates()
	if err != nil {
		return err
	}
	folder, err := s.meant(states)
	switch {
	case err == nil && (claimed == "" || claimed == folder.ID()):
		return s.useFolder(folder)
	case err == nil:
		return s.notMeant(claimed, fmt.Sprintf("on this machine %s means %s (%s)", s.cluster.Name, certs.ShortID(folder.ID()), folder.Path()))
	case !errors.Is(err, store.ErrNotFound):
		return err
	case claimed == "":
		return fmt.Errorf("the file says id: %s: %w", s.cluster.ID, errNoKeys)
	}
	if other, err := states.LoadID(claimed); err == nil {
		return s.notMeant(claimed, fmt.Sprintf("on this machine that is the cluster %s, not %s (%s)", other.Name(), s.cluster.Name, other.Path()))
	}
	return s.rebuildKeys(ctx, states, claimed)
}

func (s *Session) useFolder(folder *store.Folder) error {
	pki, err := folder.PKI()
	if err != nil {
		return err
	}
	s.keys = newKeys(pki)
	s.keys.folder = folder
	return nil
}

// rebuildKeys reads the keys of a cluster that this machine does not know from a control
// plane: what lies in the state folder can always be made again. That it is the cluster of
// this file most of its control planes have to say, or the file itself.
func (s *Session) rebuildKeys(ctx context.Context, states *store.Store, id string) error {
	if err := s.proven(id); err != nil {
		return err
	}
	var failed error // one that is sick keeps nobody from what the others have
	for _, h := range s.cluster.ControlPlanes() {
		host, up := s.hosts[h.Name]
		if !up || !belongs(h, s.facts[h.Name], id) {
			continue
		}
		pki, err := s.readKeysOnce(ctx, h, host)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if got, err := certs.ID(pki); err != nil || got != id {
			continue // this one never had them all; another may
		}
		folder, err := states.Restore(s.cluster.Name, pki)
		if err != nil {
			return err
		}
		return s.useFolder(folder)
	}
	if failed != nil { // they may be there: to go on as without them would be wrong
		return failed
	}
	return errNoKeys
}

// unreadKeys is a control plane whose keys could not be read.
type unreadKeys struct {
	host string
	err  error
}

func (e *unreadKeys) Error() string {
	return fmt.Sprintf("read the cluster's keys from %s: %v", e.host, e.err)
}

func (e *unreadKeys) Unwrap() error { return e.err }

// readKeysOnce is readKeys of one that has not failed before: hosts come one by one, and with
// each the keys are looked for, but one that is sick takes its time.
func (s *Session) readKeysOnce(ctx context.Context, h cluster.Host, host hosts.Host) (certs.PKI, error) {
	if s.keysOf != nil {
		return s.keysOf(ctx, h, host)
	}
	if err, failed := s.unread[h.Name]; failed {
		return certs.PKI{}, err
	}
	pki, err := s.readKeys(ctx, h, host)
	if err != nil {
		s.unread[h.Name] = err
	}
	return pki, err
}

// readKeys reads the keys that lie on a control plane; none where they are not whole.
func (s *Session) readKeys(ctx context.Context, h cluster.Host, host hosts.Host) (certs.PKI, error) {
	_, end := s.stage(StageKeys, h.Name, "reading the cluster's keys")
	facts, err := host.Observe(ctx, hosts.Query{Secrets: certs.SecretPaths()})
	if err == nil {
		err = unread(h.Name, facts)
	}
	end(err)
	if err != nil {
		return certs.PKI{}, &unreadKeys{h.Name, err}
	}
	pki, err := certs.FromHost(s.cluster, facts.Contents)
	if err != nil {
		return certs.PKI{}, nil
	}
	return mint.Complete(pki, s.cluster.Certificates.KeyAlgorithm, time.Duration(s.cluster.Certificates.CAValidity), time.Now())
}

// unread is why the contents of files are not in the facts; nil where they are. What is not
// there then says nothing about the files.
func unread(host string, facts hosts.Facts) error {
	for _, silent := range facts.Unanswered {
		if silent.What == hosts.LookContents {
			return &hosts.Error{
				Kind: hosts.KindStuck, Host: host, Op: "read files",
				Err: errors.New(silent.String()), Fix: checks.SilentFix(silent),
			}
		}
	}
	return nil
}
