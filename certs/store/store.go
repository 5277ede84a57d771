// Package store keeps the PKI on the operator's disk: one folder for each cluster, named
// for the cluster and the beginning of its ID, readable by its owner alone.
//
//	<root>/current/<name>          the ID of the cluster that this name means now
//	<root>/<name>-<id>/cluster     name and ID
//	                   pki/…       the CAs and the service accounts' keys, as in /etc/kubernetes/pki
//	                   secret      what keys the digests that stand for secrets
//	                   leaves/<owner>/<name>.pem   certificates minted so far, each with its key
//	                   leaves/<host>/joined        the host was seen in the cluster
//	                   leaves/<host>/etcd-begun    its member of etcd was let begin
//	                   kept        the keys were kept when all known hosts were reset
//
// Beside these are bundle/, the user's key to sign bundles, runs/, the runs' journals, and snapshots/,
// of each cluster's etcd; they are not this package's.
//
// A folder appears whole or not at all, and each later file likewise; everything is
// synced before it counts. The keys can be read back from a control plane, leaves can be
// minted anew, and hosts are noted again when they are seen in the cluster.
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/certs"
)

// Modes of everything here.
const (
	modeFolder = 0o700
	modeFile   = 0o600
)

const currentFolder = "current"

// ErrNotFound tells that there is no such cluster in the store.
var ErrNotFound = errors.New("no such cluster in the state folder")

// Store is the folder of all clusters.
type Store struct {
	root string
}

// DefaultRoot is $XDG_STATE_HOME/slipway, or ~/.local/state/slipway.
func DefaultRoot() (string, error) {
	base, err := BaseFolder("XDG_STATE_HOME", ".local/state")
	if err != nil {
		return "", fmt.Errorf("find the state folder: %w", err)
	}
	return filepath.Join(base, "slipway"), nil
}

// BaseFolder is one of the user's folders by the XDG specification: what the variable says, or
// the usual one below the home.
func BaseFolder(variable, usual string) (string, error) {
	// What is not absolute is to be ignored, says the specification.
	if folder := os.Getenv(variable); filepath.IsAbs(folder) {
		return folder, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, filepath.FromSlash(usual)), nil
}

// Open opens the store, making its folder if there is none.
func Open(root string) (*Store, error) {
	if err := makeFolder(root); err != nil {
		return nil, fmt.Errorf("open the state folder: %w", err)
	}
	if err := makeFolder(filepath.Join(root, currentFolder)); err != nil {
		return nil, fmt.Errorf("open the state folder: %w", err)
	}
	return &Store{root: root}, nil
}

// OtherName is a cluster that is kept under another name than the one that was asked for.
type OtherName struct {
	Asked, Name string
	ID          string
	Path        string
}

func (e *OtherName) Error() string {
	return fmt.Sprintf("the cluster with ID %s is kept under the name %s, not %s (%s)", certs.ShortID(e.ID), e.Name, e.Asked, e.Path)
}

// Create keeps the PKI of a new cluster, and makes it the one that the name means. Keeping
// the same PKI again changes nothing but that; under another name it is an *OtherName.
func (s *Store) Create(name string, pki certs.PKI) (*Folder, error) {
	folder, err := s.keep(name, pki, s.setCurrent)
	if err != nil {
		return nil, fmt.Errorf("keep the PKI of cluster %s: %w", name, err)
	}
	return folder, nil
}

// Restore keeps the PKI of a cluster that was read back from its hosts. What a name means
// already it goes on to mean.
func (s *Store) Restore(name string, pki certs.PKI) (*Folder, error) {
	folder, err := s.keep(name, pki, func(name, id string) error {
		if now, err := s.current(name); err != nil || now != "" {
			return err
		}
		return s.setCurrent(name, id)
	})
	if err != nil {
		return nil, fmt.Errorf("keep the PKI of cluster %s: %w", name, err)
	}
	return folder, nil
}

func (s *Store) keep(name string, pki certs.PKI, call func(name, id string) error) (*Folder, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := pki.Check(); err != nil {
		return nil, err
	}
	id, err := certs.ID(pki)
	if err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Join(s.root, ".lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	folder, err := s.find(id)
	if errors.Is(err, ErrNotFound) {
		folder, err = s.make(name, id, pki)
	}
	if err != nil {
		return nil, err
	}
	if folder.name != name {
		return nil, &OtherName{Asked: name, Name: folder.name, ID: id, Path: folder.path}
	}
	if _, err := folder.PKI(); err != nil {
		return nil, err
	}
	return folder, call(name, id)
}

// make writes a folder beside its place and renames it into it.
func (s *Store) make(name, id string, pki certs.PKI) (*Folder, error) {
	made, err := os.MkdirTemp(s.root, ".new-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(made)
	if err := writePKI(made, name, id, pki); err != nil {
		return nil, err
	}
	place := filepath.Join(s.root, folderName(name, id))
	if err := fault("rename", place); err != nil {
		return nil, err
	}
	if err := os.Rename(made, place); err != nil {
		return nil, err
	}
	if err := syncFolder(s.root); err != nil {
		return nil, err
	}
	return &Folder{store: s, path: place, name: name, id: id}, nil
}

// Load opens the cluster that a name means now: never one that is kept under another name.
// It answers ErrNotFound where there is none.
func (s *Store) Load(name string) (*Folder, error) {
	folder, err := s.load(name)
	if err != nil {
		return nil, fmt.Errorf("find cluster %s: %w", name, err)
	}
	return folder, nil
}

func (s *Store) load(name string) (*Folder, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	id, err := s.current(name)
	if err != nil {
		return nil, err
	}
	if id != "" {
		folder, err := s.find(id)
		switch {
		case err == nil && folder.name == name:
			return folder, nil
		case err != nil && !errors.Is(err, ErrNotFound):
			return nil, err
		}
	}
	return s.only(name)
}

// only finds the one cluster of a name that nothing says is current.
func (s *Store) only(name string) (*Folder, error) {
	all, err := s.list()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(folder *Folder) bool { return folder.name != name })
	switch len(all) {
	case 0:
		return nil, ErrNotFound
	case 1:
		return all[0], nil
	}
	var ids []string
	for _, folder := range all {
		ids = append(ids, certs.ShortID(folder.id))
	}
	return nil, fmt.Errorf("%d clusters have this name (%s), and %s does not say which one is meant: write the ID into the cluster file (id: …)",
		len(all), strings.Join(ids, ", "), filepath.Join(s.root, currentFolder, name))
}

// LoadID opens a cluster by its whole ID, whatever name it is kept under: that is for the
// caller to hold against what was asked for. It answers ErrNotFound where there is none.
func (s *Store) LoadID(id string) (*Folder, error) {
	folder, err := s.find(id)
	if err != nil {
		return nil, fmt.Errorf("find the cluster with ID %s: %w", certs.ShortID(id), err)
	}
	return folder, nil
}

// list gives every cluster of the store, by name.
func (s *Store) list() ([]*Folder, error) {
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return nil, fmt.Errorf("list the state folder: %w", err)
	}
	var all []*Folder
	for _, entry := range entries {
		if !entry.IsDir() || strings.HasPrefix(entry.Name(), ".") || entry.Name() == currentFolder {
			continue // the last has a file for each name, which may be what a cluster's own files are called
		}
		path := filepath.Join(s.root, entry.Name())
		name, id, err := readIdentity(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // not a cluster's
		}
		if err != nil {
			return nil, fmt.Errorf("list the state folder: %w", err)
		}
		all = append(all, &Folder{store: s, path: path, name: name, id: id})
	}
	return all, nil
}

// find opens the folder of a whole ID.
func (s *Store) find(id string) (*Folder, error) {
	all, err := s.list()
	if err != nil {
		return nil, err
	}
	for _, folder := range all {
		if folder.id == id {
			return folder, nil
		}
	}
	return nil, ErrNotFound
}

// current is the ID that a name means; empty for none.
func (s *Store) current(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(s.root, currentFolder, name))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

func (s *Store) setCurrent(name, id string) error {
	return writeFile(filepath.Join(s.root, currentFolder, name), []byte(id+"\n"))
}

func folderName(name, id string) string { return name + "-" + certs.ShortID(id) }

// checkName keeps names from leading out of the store.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00\n") || strings.HasPrefix(name, ".") {
		return fmt.Errorf("%q can not name a folder", name)
	}
	return nil
}
