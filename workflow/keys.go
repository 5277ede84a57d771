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
	"github.com/slipway-k8s/slipway/phases/engine"
)

// keys are the cluster's keys and the leaves minted from them.
type keys struct {
	pki    certs.PKI
	leaves map[string]map[string]certs.Leaf // by host, then by the catalogue's name
	folder *store.Folder                    // nil until they are saved
	fresh  map[string][]certs.Leaf          // minted by this command and not saved yet
	// created tells that this command made the folder.
	created bool
}

// errNoKeys tells that this cluster's keys are neither on this machine nor on a host.
var errNoKeys = errors.New("no host that answers has noted such a cluster, or its keys are neither in the state folder nor on a control plane that answers; a cluster that is not there yet is made by: slipway init")

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

// openStates opens the state folder.
func openStates() (*store.Store, error) {
	root, err := store.DefaultRoot()
	if err != nil {
		return nil, err
	}
	return store.Open(root)
}

func (s *Session) useFolder(folder *store.Folder) error {
	pki, err := folder.PKI()
	if err != nil {
		return err
	}
	s.keys = &keys{pki: pki, folder: folder, leaves: map[string]map[string]certs.Leaf{}, fresh: map[string][]certs.Leaf{}}
	return nil
}

// rebuildKeys reads the keys of a cluster that this machine does not know from a control
// plane: what lies in the state folder can always be made again. That it is the cluster of
// this file most of its control planes have to say, or the file itself.
func (s *Session) rebuildKeys(ctx context.Context, states *store.Store, id string) error {
	if doubt := s.doubt(id); doubt != nil {
		return doubt
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
	if err, failed := s.sick[h.Name]; failed {
		return certs.PKI{}, err
	}
	pki, err := s.readKeys(ctx, h, host)
	if err != nil {
		if s.sick == nil {
			s.sick = map[string]error{}
		}
		s.sick[h.Name] = err
	}
	return pki, err
}

// readKeys reads the keys that lie on a control plane; none where they are not whole.
func (s *Session) readKeys(ctx context.Context, h cluster.Host, host hosts.Host) (certs.PKI, error) {
	_, end := s.stage(StageKeys, h.Name, "reading the cluster's keys")
	defer end()
	facts, err := host.Observe(ctx, hosts.Query{Secrets: certs.SecretPaths()})
	if err == nil {
		err = unread(h.Name, facts)
	}
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

// mintKeys makes the keys of a cluster that does not exist yet. They are saved before
// the first action, not now: to plan is to change nothing.
func (s *Session) mintKeys() error {
	pki, err := mint.PKI(s.cluster.Certificates.KeyAlgorithm, time.Duration(s.cluster.Certificates.CAValidity), time.Now())
	if err != nil {
		return fmt.Errorf("mint the cluster's keys: %w", err)
	}
	s.keys = &keys{pki: pki, leaves: map[string]map[string]certs.Leaf{}, fresh: map[string][]certs.Leaf{}}
	return nil
}

// mintLeaves gets every leaf that these hosts should have: as minted before where it is
// still right, else minted now.
func (s *Session) mintLeaves(wanted []cluster.Host) error {
	for _, h := range wanted {
		s.keys.leaves[h.Name] = map[string]certs.Leaf{}
		if err := s.mintHost(h); err != nil {
			return fmt.Errorf("mint certificates for %s: %w", h.Name, err)
		}
	}
	return nil
}

func (s *Session) mintHost(h cluster.Host) error {
	var missing []certs.Spec
	for _, spec := range certs.Specs(s.cluster, h) {
		leaf, kept, err := s.keys.keep(s.cluster, h.Name, spec)
		if err != nil {
			return err
		}
		if !kept {
			missing = append(missing, spec)
			continue
		}
		s.keys.leaves[h.Name][spec.Name] = leaf
	}
	minted, err := mint.Leaves(s.keys.pki, missing, time.Duration(s.cluster.Certificates.Validity), time.Now())
	if err != nil {
		return err
	}
	for _, leaf := range minted {
		s.keys.leaves[h.Name][leaf.Name] = leaf
	}
	s.keys.fresh[h.Name] = append(s.keys.fresh[h.Name], minted...)
	return nil
}

// keep gives a leaf that was minted before, if it is still what it has to be.
func (k *keys) keep(c *cluster.Cluster, owner string, spec certs.Spec) (certs.Leaf, bool, error) {
	leaf, ok, err := k.saved(owner, spec.Name)
	if err != nil || !ok {
		return certs.Leaf{}, false, err
	}
	authority, err := k.pki.Authority(spec.Authority)
	if err != nil {
		return certs.Leaf{}, false, err
	}
	left := certs.MinLeft(time.Duration(c.Certificates.Validity))
	return leaf, len(certs.Acceptable(spec, leaf.Cert, authority.Cert, time.Now(), left)) == 0, nil
}

// mintOrKeep gives one leaf, minted now if the one from before will not do.
func (k *keys) mintOrKeep(c *cluster.Cluster, owner string, spec certs.Spec) (certs.Leaf, error) {
	leaf, kept, err := k.keep(c, owner, spec)
	if err != nil || kept {
		return leaf, err
	}
	if leaf, err = mint.Leaf(k.pki, spec, time.Duration(c.Certificates.Validity), time.Now()); err != nil {
		return certs.Leaf{}, err
	}
	k.fresh[owner] = append(k.fresh[owner], leaf)
	return leaf, nil
}

func (k *keys) saved(host, name string) (certs.Leaf, bool, error) {
	if k.folder == nil {
		return certs.Leaf{}, false, nil
	}
	return k.folder.Leaf(host, name)
}

// save writes what was minted, before the first action: from then on a killed run can go on.
func (k *keys) save(name string) error {
	if k.folder == nil {
		states, err := openStates()
		if err != nil {
			return err
		}
		if k.folder, err = states.Create(name, k.pki); err != nil {
			return err
		}
		k.created = true
	}
	for host, leaves := range k.fresh {
		if err := k.folder.SaveLeaves(host, leaves...); err != nil {
			return err
		}
		delete(k.fresh, host)
	}
	return nil
}

// forgetUnused removes the keys of a cluster that will never be: minted for a run that ended
// before its first step. Once a step has begun they may be all that leads to the hosts.
func (k *keys) forgetUnused(err error) error {
	if _, unused := errors.AsType[*engine.NotBegun](err); k == nil || !k.created || !unused {
		return nil
	}
	return k.folder.Remove()
}
