package lab

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// seed gives a new host's disk its names and keys. A disk that has been booted from is
// never written from outside again: an overlay forbids it while it is mounted, and what
// is there belongs to the host.
func (s *session) seed(h *hostRecord) error {
	if h.Seeded {
		return nil
	}
	dir := s.lab.hostDir(h.Name)
	for _, name := range append([]string{"upper", "work", "root"}, plainFolders...) {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	files, err := s.seedFiles(h)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := file.write(filepath.Join(dir, "upper")); err != nil {
			return err
		}
	}
	if h.Kind == KindVM {
		if err := s.makeDisk(h); err != nil {
			return err
		}
	}
	return s.change(func(*record) { h.Seeded = true })
}

// seedFile is a file that a host begins with beside those of the image, or a folder: the
// upper folder of an overlay hides mode and owner of the one below.
type seedFile struct {
	path    string
	content string
	mode    os.FileMode
	owner   int // user and group
}

func (f seedFile) write(root string) error {
	path := filepath.Join(root, f.path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	var err error
	if f.mode.IsDir() {
		err = os.MkdirAll(path, 0o755)
	} else {
		err = os.WriteFile(path, []byte(f.content), f.mode)
	}
	return errors.Join(err, os.Chmod(path, f.mode.Perm()), os.Chown(path, f.owner, f.owner))
}

func (s *session) seedFiles(h *hostRecord) ([]seedFile, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	key, err := s.lab.hostKey(h)
	if err != nil {
		return nil, err
	}
	login, err := os.ReadFile(s.lab.IdentityFile() + ".pub")
	if err != nil {
		return nil, err
	}
	files := []seedFile{
		{path: "etc/machine-id", content: hex.EncodeToString(id[:]) + "\n", mode: 0o444},
		{path: "etc/hostname", content: h.Name + "\n", mode: 0o644},
		{path: "etc/hosts", content: "127.0.0.1\tlocalhost\n127.0.1.1\t" + h.Name + "\n\n::1\tlocalhost ip6-localhost ip6-loopback\n", mode: 0o644},
		// Nobody listens there, and the bridge says so at once.
		{path: "etc/resolv.conf", content: "nameserver " + s.record.bridgeAddress().String() + "\n", mode: 0o644},
		{path: "etc/ssh/ssh_host_ed25519_key", content: string(key.private), mode: 0o600},
		{path: "etc/ssh/ssh_host_ed25519_key.pub", content: key.public + "\n", mode: 0o644},
	}
	if h.Kind == KindVM {
		files = append(files, s.machineSeeds(h)...)
	}
	for owner, home := range map[int]string{0: "root", 1000: "home/" + sudoUser, 1001: "home/" + noSudoUser} {
		files = append(files,
			seedFile{path: home, mode: fs.ModeDir | 0o700, owner: owner},
			seedFile{path: home + "/.ssh", mode: fs.ModeDir | 0o700, owner: owner},
			seedFile{path: home + "/.ssh/authorized_keys", content: string(login), mode: 0o600, owner: owner})
	}
	return files, nil
}

// hostKey gives a host's SSH key, making it at the first time; known_hosts is written
// from the same files, so a key exists before the host does.
func (l *Lab) hostKey(h *hostRecord) (keyPair, error) {
	return l.keyAt(filepath.Join(l.hostDir(h.Name), "ssh_host_ed25519_key"), "root@"+h.Name)
}

// keyAt reads a key pair, or makes it. The public half is written last: where it is,
// both are.
func (l *Lab) keyAt(path, comment string) (keyPair, error) {
	public, err := os.ReadFile(path + ".pub")
	if err == nil {
		private, err := os.ReadFile(path)
		return keyPair{private: private, public: strings.TrimSpace(string(public))}, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return keyPair{}, err
	}
	key, err := newKeyPair(comment)
	if err != nil {
		return keyPair{}, fmt.Errorf("make a key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return keyPair{}, err
	}
	if err := writeFile(path, key.private, 0o600); err != nil {
		return keyPair{}, err
	}
	return key, writeFile(path+".pub", []byte(key.public+"\n"), 0o644)
}

// writeKnownHosts writes the keys of all hosts, by name and by address.
func (s *session) writeKnownHosts() error {
	var lines strings.Builder
	for _, h := range s.record.Hosts {
		key, err := s.lab.hostKey(h)
		if err != nil {
			return fmt.Errorf("make the SSH key of %s: %w", h.Name, err)
		}
		kind, rest, _ := strings.Cut(key.public, " ")
		blob, _, _ := strings.Cut(rest, " ")
		names := h.Name
		for _, place := range s.record.places(h) {
			names += "," + place.Address.String()
		}
		fmt.Fprintf(&lines, "%s %s %s\n", names, kind, blob)
	}
	return writeFile(s.lab.KnownHostsFile(), []byte(lines.String()), 0o644)
}
