package ssh

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the form of hashed known_hosts entries
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

// knownHosts is what the known_hosts files say of one host.
type knownHosts struct {
	options     Options
	files       []string
	keys        []knownKey
	withoutPort []knownKey // of a host at another port than 22, what stands for its name alone
	authorities []knownKey
	revoked     []knownKey

	shownTypes []string // of keys that the host has and that are not pinned
	mismatch   error    // of the last of them
}

// knownKey is one line.
type knownKey struct {
	key  ssh.PublicKey
	file string
	line int
}

func (k knownKey) String() string { return fmt.Sprintf("%s:%d", k.file, k.line) }

// readKnownHosts collects the lines that are about the host. As ssh does, it passes over
// lines that it cannot read.
func readKnownHosts(o Options) (*knownHosts, error) {
	known, err := readKnownHostsIn(knownHostsFiles(o), o)
	if err == nil && o.revoked != "" {
		err = known.readRevoked(o.revoked)
	}
	if err == nil && len(known.algorithms()) == 0 { // none would mean the library's own
		err = &hosts.Error{
			Kind: hosts.KindBroken, Op: "choose the types of the host's key",
			Err: fmt.Errorf("what HostKeyAlgorithms of the configuration of ssh (%q) and ssh.hostKeys leave is none that is safe", o.hostKeyTypes),
			Fix: "let one of these be used: " + strings.Join((&knownHosts{}).algorithms(), ", "),
		}
	}
	return known, err
}

func readKnownHostsIn(files []string, o Options) (*knownHosts, error) {
	k := &knownHosts{options: o, files: files}
	exact, bare := o.lookupName(), strings.ToLower(cmp.Or(o.hostKeyAlias, o.Host))
	for _, file := range k.files {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the known hosts: %w", err)
		}
		for number, line := range bytes.Split(content, []byte("\n")) {
			marker, names, key, _, _, err := ssh.ParseKnownHosts(line)
			if err != nil {
				continue
			}
			entry := knownKey{key: key, file: file, line: number + 1}
			switch {
			case marker == "revoked":
				k.revoked = append(k.revoked, entry)
			case marker == "" && matches(names, exact):
				k.keys = append(k.keys, entry)
			case marker == "" && matches(names, bare):
				k.withoutPort = append(k.withoutPort, entry)
			case marker == "cert-authority" && (matches(names, exact) || matches(names, bare)):
				k.authorities = append(k.authorities, entry)
			}
		}
	}
	return k, nil
}

// readRevoked reads a list of public keys, or says that it cannot: a key that is revoked must not be taken.
func (k *knownHosts) readRevoked(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read RevokedHostKeys of the configuration of ssh: %w", err)
	}
	if bytes.HasPrefix(content, []byte("SSHKRL")) {
		return &hosts.Error{
			Kind: hosts.KindBroken, Op: "read RevokedHostKeys of the configuration of ssh",
			Err: fmt.Errorf("%s is a key revocation list, which only ssh reads", file),
			Fix: "name a list of public keys there, a line each; or write ssh.config: none in the cluster file",
		}
	}
	for number, line := range bytes.Split(content, []byte("\n")) {
		if key, _, _, _, err := ssh.ParseAuthorizedKey(line); err == nil {
			k.revoked = append(k.revoked, knownKey{key: key, file: file, line: number + 1})
		}
	}
	return nil
}

// knownHostsFiles are looked into in this order.
func knownHostsFiles(o Options) []string {
	if o.KnownHostsFile != "" && !o.forJump {
		return []string{o.KnownHostsFile}
	}
	_, all := usualKnown()
	if o.allKnown != nil {
		all = o.allKnown
	}
	return slices.Concat(ownKnownHosts(o), all)
}

// ownKnownHosts are those files that are the operator's. A key that is accepted is written to the first, and to
// no other: those of all users are not ours to change.
func ownKnownHosts(o Options) []string {
	own, _ := usualKnown()
	if o.ownKnown != nil {
		own = o.ownKnown
	}
	if o.KnownHostsFile != "" {
		own = append([]string{o.KnownHostsFile}, own...)
	}
	return own
}

// lookupName is the name that known_hosts has for the host: an alias stands there without a port. As ssh does, it is
// looked for in lower case, in which it was hashed.
func (o Options) lookupName() string {
	if o.hostKeyAlias != "" {
		return strings.ToLower(o.hostKeyAlias)
	}
	return lookupName(strings.ToLower(o.Host), o.Port)
}

// lookupName is a host's name in known_hosts.
func lookupName(host string, port int) string {
	if port == 22 {
		return host
	}
	return "[" + host + "]:" + strconv.Itoa(port)
}

// matches tells whether a line's list of patterns is about a host.
func matches(patterns []string, name string) bool {
	found := false
	for _, pattern := range patterns {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !matchesOne(pattern, name) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

func matchesOne(pattern, name string) bool {
	if rest, hashed := strings.CutPrefix(pattern, "|1|"); hashed {
		salt64, hash64, _ := strings.Cut(rest, "|")
		salt, saltErr := base64.StdEncoding.DecodeString(salt64)
		hash, hashErr := base64.StdEncoding.DecodeString(hash64)
		mac := hmac.New(sha1.New, salt)
		mac.Write([]byte(name))
		return saltErr == nil && hashErr == nil && hmac.Equal(mac.Sum(nil), hash)
	}
	return globs(strings.ToLower(pattern), strings.ToLower(name))
}
