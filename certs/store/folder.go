package store

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-k8s/slipway/certs"
)

// Folder is what is kept of one cluster.
type Folder struct {
	store    *Store
	path     string
	name, id string
}

// Damaged is a folder whose PKI is no longer whole. It can be rebuilt from any control
// plane, once the damaged one is out of the way.
type Damaged struct {
	Path string
	Err  error
}

func (e *Damaged) Error() string {
	return fmt.Sprintf("%s is damaged: %v; move it away, and it is rebuilt from a control plane", e.Path, e.Err)
}

func (e *Damaged) Unwrap() error { return e.Err }

// Name is what the cluster was called when it was first kept.
func (f *Folder) Name() string { return f.name }

// ID is the cluster's whole ID.
func (f *Folder) ID() string { return f.id }

// Path is the folder itself; what else is written to it must be as private.
func (f *Folder) Path() string { return f.path }

// PKI reads the cluster's keys, and makes sure that they are whole, private and this
// cluster's.
func (f *Folder) PKI() (certs.PKI, error) {
	pki, err := f.readPKI()
	var exposed *Exposed
	switch {
	case errors.As(err, &exposed):
		return certs.PKI{}, fmt.Errorf("read the PKI of cluster %s: %w", f.name, err)
	case err != nil:
		return certs.PKI{}, fmt.Errorf("read the PKI of cluster %s: %w", f.name, &Damaged{f.path, err})
	}
	return pki, nil
}

func (f *Folder) readPKI() (certs.PKI, error) {
	if err := private(f.path); err != nil {
		return certs.PKI{}, err
	}
	contents := map[string][]byte{}
	for _, path := range certs.SecretPaths() {
		content, err := readFile(f.pkiPath(path))
		if err != nil {
			return certs.PKI{}, err
		}
		contents[path] = content
	}
	pki, err := certs.FromFiles(contents)
	if err != nil {
		return certs.PKI{}, err
	}
	secret, err := readFile(filepath.Join(f.path, "secret"))
	if err != nil {
		return certs.PKI{}, err
	}
	if pki.Secret, err = hex.DecodeString(strings.TrimSpace(string(secret))); err != nil {
		return certs.PKI{}, errors.New("the file secret is not hexadecimal")
	}
	if err := pki.Check(); err != nil {
		return certs.PKI{}, err
	}
	if id, err := certs.ID(pki); err != nil || id != f.id {
		return certs.PKI{}, fmt.Errorf("its CA is of cluster %s, not of %s", certs.ShortID(id), certs.ShortID(f.id))
	}
	return pki, nil
}

// pkiPath is where a file of /etc/kubernetes/pki is kept here.
func (f *Folder) pkiPath(onHost string) string { return pkiPath(f.path, onHost) }

func pkiPath(folder, onHost string) string {
	return filepath.Join(folder, "pki", filepath.FromSlash(strings.TrimPrefix(onHost, certs.PKIFolder)))
}

// Leaf reads a certificate that was minted before; owner is a host's name, or whatever
// else it was saved under. One that is damaged counts as none: it is minted anew.
func (f *Folder) Leaf(owner, name string) (certs.Leaf, bool, error) {
	path, err := f.leafPath(owner, name)
	if err != nil {
		return certs.Leaf{}, false, err
	}
	content, err := readFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return certs.Leaf{}, false, nil
	}
	if err != nil {
		return certs.Leaf{}, false, fmt.Errorf("read the certificate %s of %s: %w", name, owner, err)
	}
	pair := splitPair(content)
	if pair.Check() != nil {
		return certs.Leaf{}, false, nil
	}
	return certs.Leaf{Name: name, Pair: pair}, true, nil
}

// SaveLeaves keeps certificates for an owner, in place of those of the same names.
func (f *Folder) SaveLeaves(owner string, leaves ...certs.Leaf) error {
	unlock, err := lock(filepath.Join(f.path, ".lock"))
	if err != nil {
		return fmt.Errorf("keep certificates of %s: %w", owner, err)
	}
	defer unlock()
	for _, leaf := range leaves {
		path, err := f.leafPath(owner, leaf.Name)
		if err == nil {
			err = writeFile(path, joinPair(leaf.Pair))
		}
		if err != nil {
			return fmt.Errorf("keep the certificate %s of %s: %w", leaf.Name, owner, err)
		}
	}
	return nil
}

// These files lie beside a host's certificates: they are deleted with
// them when the host is reset or removed.
const (
	joinedFile = "joined"
	begunFile  = "etcd-begun"
)

// MarkJoined notes that a host was seen in the cluster. It is a hint: others may have taken
// the host out since.
func (f *Folder) MarkJoined(host string) error { return f.mark(host, joinedFile) }

// Joined tells whether a host was seen in the cluster from here.
func (f *Folder) Joined(host string) bool { return f.marked(host, joinedFile) }

// MarkBegun notes that a host's member of etcd was let begin: from then on it must not begin
// again without its data.
func (f *Folder) MarkBegun(host string) error { return f.mark(host, begunFile) }

// Begun tells whether a host's member of etcd was let begin from here, or seen to have begun.
func (f *Folder) Begun(host string) bool { return f.marked(host, begunFile) }

// mark notes something of a host by a file.
func (f *Folder) mark(host, file string) error {
	if f.marked(host, file) {
		return nil
	}
	err := checkName(host)
	if err == nil {
		err = writeFile(filepath.Join(f.path, "leaves", host, file), nil)
	}
	if err != nil {
		return fmt.Errorf("note %s of %s: %w", file, host, err)
	}
	return nil
}

// marked tells whether it was noted.
func (f *Folder) marked(host, file string) bool {
	if checkName(host) != nil {
		return false
	}
	_, err := os.Stat(filepath.Join(f.path, "leaves", host, file))
	return err == nil
}

// AllJoined lists the hosts that were seen in the cluster from here, sorted.
func (f *Folder) AllJoined() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(f.path, "leaves"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list the hosts of cluster %s: %w", f.name, err)
	}
	var found []string
	for _, entry := range entries {
		if f.Joined(entry.Name()) {
			found = append(found, entry.Name())
		}
	}
	return found, nil
}

// keptFile lies beside the keys.
const keptFile = "kept"

// notNoted stands for the reason in notes that an earlier version wrote, without one.
const notNoted = "the reason was not noted"

// MarkKept notes why the keys were kept when all known hosts were reset. The first reason stays.
func (f *Folder) MarkKept(why string) error {
	if before, kept := f.Kept(); kept && before != notNoted {
		return nil
	}
	if err := writeFile(filepath.Join(f.path, keptFile), []byte(why+"\n")); err != nil {
		return fmt.Errorf("note that the keys of cluster %s are kept: %w", f.name, err)
	}
	return nil
}

// Kept tells whether that was noted, and why the keys were kept. A note that cannot be read is one.
func (f *Folder) Kept() (why string, kept bool) {
	content, err := os.ReadFile(filepath.Join(f.path, keptFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", false
	}
	return cmp.Or(strings.TrimSpace(string(content)), notNoted), true
}

// DropKept takes the note away: the cluster is there again.
func (f *Folder) DropKept() error {
	if err := os.Remove(filepath.Join(f.path, keptFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("take away the note that the keys of cluster %s are kept: %w", f.name, err)
	}
	return nil
}

// DropLeaves forgets every certificate of an owner, as when a host has left the cluster.
func (f *Folder) DropLeaves(owner string) error {
	if err := checkName(owner); err != nil {
		return fmt.Errorf("forget the certificates of %s: %w", owner, err)
	}
	unlock, err := lock(filepath.Join(f.path, ".lock"))
	if err != nil {
		return fmt.Errorf("forget the certificates of %s: %w", owner, err)
	}
	defer unlock()
	if err := os.RemoveAll(filepath.Join(f.path, "leaves", owner)); err != nil {
		return fmt.Errorf("forget the certificates of %s: %w", owner, err)
	}
	return nil
}

// Remove deletes the cluster's folder. Its super-admin certificate is lost with it and, unless
// a control plane is left, so are the cluster's keys.
func (f *Folder) Remove() error {
	if err := f.remove(); err != nil {
		return fmt.Errorf("forget cluster %s: %w", f.name, err)
	}
	return nil
}

func (f *Folder) remove() error {
	unlock, err := lock(filepath.Join(f.store.root, ".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	// First the names, so that none leads to half a folder.
	currents := filepath.Join(f.store.root, currentFolder)
	entries, err := os.ReadDir(currents)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if id, err := f.store.current(entry.Name()); err != nil || id != f.id {
			continue
		}
		if err := os.Remove(filepath.Join(currents, entry.Name())); err != nil {
			return err
		}
	}
	gone, err := os.MkdirTemp(f.store.root, ".gone-")
	if err != nil {
		return err
	}
	if err := os.Rename(f.path, filepath.Join(gone, "cluster")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(gone); err != nil {
		return err
	}
	return syncFolder(f.store.root)
}

func (f *Folder) leafPath(owner, name string) (string, error) {
	if err := checkName(owner); err != nil {
		return "", err
	}
	if _, ok := certs.Find(name); !ok {
		return "", fmt.Errorf("%q is not in the catalogue of certificates", name)
	}
	return filepath.Join(f.path, "leaves", owner, filepath.FromSlash(name)+".pem"), nil
}

// identityFile says in words which cluster a folder is.
type identityFile struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

func readIdentity(folder string) (name, id string, err error) {
	content, err := os.ReadFile(filepath.Join(folder, "cluster"))
	if err != nil {
		return "", "", err
	}
	var identity identityFile
	if err := json.Unmarshal(content, &identity); err != nil || checkName(identity.Name) != nil || len(identity.ID) < certs.ShortIDLength {
		return "", "", &Damaged{folder, errors.New("the file cluster does not say which one it is")}
	}
	return identity.Name, identity.ID, nil
}

func writePKI(folder, name, id string, pki certs.PKI) error {
	for _, file := range pki.ControlPlaneFiles() {
		if err := writeFile(pkiPath(folder, file.Path), file.Content); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(folder, "secret"), []byte(hex.EncodeToString(pki.Secret)+"\n")); err != nil {
		return err
	}
	identity, err := json.Marshal(identityFile{Name: name, ID: id})
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(folder, "cluster"), append(identity, '\n'))
}
