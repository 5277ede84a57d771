package workflow

import (
	"errors"
	"fmt"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/certs/store"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
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

func newKeys(pki certs.PKI) *keys {
	return &keys{pki: pki, leaves: map[string]map[string]certs.Leaf{}, fresh: map[string][]certs.Leaf{}}
}

// newCluster makes the keys of a cluster that does not exist yet. They are saved before
// the first action, not now: to plan is to change nothing.
func newCluster(c *cluster.Cluster) (*keys, error) {
	pki, err := mint.PKI(c.Certificates.KeyAlgorithm, time.Duration(c.Certificates.CAValidity), time.Now())
	if err != nil {
		return nil, fmt.Errorf("mint the cluster's keys: %w", err)
	}
	return newKeys(pki), nil
}

// identity is the cluster's.
func (k *keys) identity(c *cluster.Cluster) hosts.Identity {
	if k == nil {
		return hosts.Identity{Name: c.Name}
	}
	id, err := certs.ID(k.pki)
	if err != nil {
		return hosts.Identity{Name: c.Name}
	}
	return hosts.Identity{ID: id, Name: c.Name}
}

// mint gets an owner's leaves, a host's or the operator's: as minted before where they are still
// right, else minted now.
func (k *keys) mint(c *cluster.Cluster, owner string, specs ...certs.Spec) error {
	if k.leaves[owner] == nil {
		k.leaves[owner] = map[string]certs.Leaf{}
	}
	var missing []certs.Spec
	for _, spec := range specs {
		leaf, kept, err := k.keep(c, owner, spec)
		if err != nil {
			return err
		}
		if !kept {
			missing = append(missing, spec)
			continue
		}
		k.leaves[owner][spec.Name] = leaf
	}
	minted, err := mint.Leaves(k.pki, missing, time.Duration(c.Certificates.Validity), time.Now())
	if err != nil {
		return err
	}
	for _, leaf := range minted {
		k.leaves[owner][leaf.Name] = leaf
	}
	k.fresh[owner] = append(k.fresh[owner], minted...)
	return nil
}

// keep gives a leaf that was minted before, if it is still what it has to be.
func (k *keys) keep(c *cluster.Cluster, owner string, spec certs.Spec) (certs.Leaf, bool, error) {
	if k.folder == nil {
		return certs.Leaf{}, false, nil
	}
	leaf, ok, err := k.folder.Leaf(owner, spec.Name)
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

// save writes what was minted, before the first action: from then on a killed run can go on.
func (k *keys) save(name string) error {
	if k == nil {
		return nil
	}
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

// operatorsOwn is where the state folder keeps what belongs to no host.
const operatorsOwn = "operator"

// operators gives a credential that is on no host.
func (k *keys) operators(c *cluster.Cluster, spec certs.Spec) (certs.Leaf, error) {
	if leaf, ok := k.leaves[operatorsOwn][spec.Name]; ok {
		return leaf, nil
	}
	if err := k.mint(c, operatorsOwn, spec); err != nil {
		return certs.Leaf{}, fmt.Errorf("mint %s: %w", spec.Name, err)
	}
	return k.leaves[operatorsOwn][spec.Name], nil
}

// openStates opens the state folder.
func openStates() (*store.Store, error) {
	root, err := store.DefaultRoot()
	if err != nil {
		return nil, err
	}
	return store.Open(root)
}
