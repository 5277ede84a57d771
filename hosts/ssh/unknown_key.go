package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/slipway-k8s/slipway/hosts"
)

// UnknownKey is the error of a host whose key stands in no known_hosts file. It is in the chain
// of Connect's error, with the kind hosts.KindHostKeyUnknown. A key that has changed, one that is
// revoked and a certificate are none.
type UnknownKey struct {
	Type        string // ssh-ed25519, for example
	Fingerprint string // SHA256:…, as ssh-keygen writes it
	Line        string // what Accept adds to File; there the name is a hash where HashKnownHosts says so
	File        string // the known_hosts file that is the operator's to add to; none where the configuration of ssh has none
	Other       string // where, as file:line, a key of another type stands for the same host; empty: nowhere

	files []string // all that were looked into
	hash  bool     // Accept writes the name as a hash, which names nobody to who reads the file
}

func (k *UnknownKey) Error() string {
	text := fmt.Sprintf("its %s key %s is not in %s", k.Type, k.Fingerprint, strings.Join(k.files, " or "))
	if k.Other != "" {
		text += fmt.Sprintf(" (a key of another kind is, at %s)", k.Other)
	}
	return text
}

// Where names what to type on the host itself to see the fingerprint that it should have.
func (k *UnknownKey) Where() string { return "ssh-keygen -lf /etc/ssh/" + hostKeyFile(k.Type) }

func (k *knownHosts) unknownKey(key ssh.PublicKey) *UnknownKey {
	unknown := &UnknownKey{
		Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), File: noFile, files: k.files, hash: k.options.hashKnown,
		Line: k.options.lookupName() + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
	}
	if own := ownKnownHosts(k.options); len(own) > 0 {
		unknown.File = own[0]
	}
	if len(k.keys) > 0 {
		unknown.Other = k.keys[0].String()
	}
	return unknown
}

// keep says what has the key be known from now on.
func (k *UnknownKey) keep() string {
	if k.keepsNothing() != nil {
		return fmt.Sprintf("write %s into ssh.hostKeys of the host in the cluster file; or name a file that keeps it as ssh.knownHostsFile there", k.Fingerprint)
	}
	return fmt.Sprintf("echo '%s' >> %s", k.Line, k.File)
}

// keepsNothing says why File cannot have a line added; nil where it can, or might.
func (k *UnknownKey) keepsNothing() error {
	if k.File == noFile {
		return errors.New("the configuration of ssh has UserKnownHostsFile none")
	}
	if info, err := os.Stat(k.File); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file that keeps anything", k.File)
	}
	return nil
}

// accepting is held by who adds to a known_hosts file: several hosts may be accepted at once.
var accepting sync.Mutex

// Accept adds Line to File, and makes both the file and its folder where they are missing. What
// is there already is not added again. The files are read anew: where one of them has another
// key of this type for the host by now, or says that the key is revoked, nothing is written and
// the error is a *hosts.Error of the kind hosts.KindHostKeyChanged.
func (k *UnknownKey) Accept() error {
	accepting.Lock()
	defer accepting.Unlock()
	if err := k.accept(); err != nil {
		var known *hosts.Error
		if errors.As(err, &known) {
			return err
		}
		told := &hosts.Error{
			Kind: hosts.KindBroken, Op: fmt.Sprintf("add the host key %s to %s", k.Fingerprint, k.File), Err: err,
			Fix: "see that you may write there; or name another file as ssh.knownHostsFile in the cluster file",
		}
		if k.keepsNothing() != nil {
			told.Op, told.Fix = "keep the host key "+k.Fingerprint, k.keep()
		}
		return told
	}
	return nil
}

func (k *UnknownKey) accept() error {
	o, key, err := k.parse()
	if err != nil {
		return err
	}
	files := k.files
	if len(files) == 0 {
		files = []string{k.File}
	}
	known, err := readKnownHostsIn(files, o)
	if err != nil {
		return err
	}
	err = known.check(o.address(), nil, key)
	var unknown *UnknownKey
	if !errors.As(err, &unknown) {
		return err // nil: somebody has added it
	}
	if err := k.keepsNothing(); err != nil {
		return err
	}
	line := k.Line
	if name, rest, _ := strings.Cut(line, " "); k.hash {
		line = knownhosts.HashHostname(name) + " " + rest
	}
	return addLine(k.File, line)
}

// parse reads what Line says, and refuses what would be more than one key of one host: a name
// with a * in it would stand for others too.
func (k *UnknownKey) parse() (Options, ssh.PublicKey, error) {
	marker, names, key, _, rest, err := ssh.ParseKnownHosts([]byte(k.Line))
	if err != nil {
		return Options{}, nil, fmt.Errorf("read the line: %w", err)
	}
	if marker != "" || len(names) != 1 || len(rest) > 0 || strings.ContainsAny(k.Line, "\r\n") {
		return Options{}, nil, errors.New("the line does not name one host and one key")
	}
	o := Options{Host: names[0], Port: 22}
	if host, port, err := net.SplitHostPort(names[0]); err == nil && strings.HasPrefix(names[0], "[") {
		if o.Port, err = strconv.Atoi(port); err != nil {
			return Options{}, nil, fmt.Errorf("the port of %s is no number", names[0])
		}
		o.Host = host
	}
	if o.Host == "" || strings.ContainsAny(o.Host, "*?!|,#@[] \t") {
		return Options{}, nil, fmt.Errorf("%q is no name of a host, as known_hosts has them", o.Host)
	}
	if ssh.FingerprintSHA256(key) != k.Fingerprint {
		return Options{}, nil, fmt.Errorf("the line has another key, %s", ssh.FingerprintSHA256(key))
	}
	return o, key, nil
}

// addLine adds a line of its own to a file, and has it on the disk.
func addLine(path, line string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	_, err := os.Stat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(appendLine(file, line), file.Close()); err != nil {
		return err
	}
	if !isNew {
		return nil
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func appendLine(file *os.File, line string) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	text := line + "\n"
	if size := info.Size(); size > 0 {
		last := make([]byte, 1)
		if _, err := file.ReadAt(last, size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			text = "\n" + text
		}
	}
	if n, err := file.WriteString(text); err != nil {
		if now, again := file.Stat(); again == nil && now.Size() == info.Size()+int64(n) {
			_ = file.Truncate(info.Size()) // the first error is told
		}
		return err
	}
	return file.Sync()
}
