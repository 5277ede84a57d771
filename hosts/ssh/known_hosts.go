package ssh

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the form of hashed known_hosts entries
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
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
	authorities []knownKey
	revoked     []knownKey
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
func readKnownHosts(o Options) (*knownHosts, error) { return readKnownHostsIn(knownHostsFiles(o), o) }

func readKnownHostsIn(files []string, o Options) (*knownHosts, error) {
	k := &knownHosts{options: o, files: files}
	exact, bare := lookupName(o.Host, o.Port), o.Host
	var withoutPort []knownKey
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
				withoutPort = append(withoutPort, entry)
			case marker == "cert-authority" && (matches(names, exact) || matches(names, bare)):
				k.authorities = append(k.authorities, entry)
			}
		}
	}
	if len(k.keys) == 0 {
		// As ssh does: the host at its usual port may be the same.
		k.keys = withoutPort
	}
	return k, nil
}

func knownHostsFiles(o Options) []string {
	if o.KnownHostsFile != "" {
		return []string{o.KnownHostsFile}
	}
	files := []string{"/etc/ssh/ssh_known_hosts"}
	if home, err := os.UserHomeDir(); err == nil {
		files = slices.Insert(files, 0,
			filepath.Join(home, ".ssh", "known_hosts"), filepath.Join(home, ".ssh", "known_hosts2"))
	}
	return files
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
	// Only * and ? are special in these patterns, and a name has no slash.
	escaped := strings.NewReplacer(`\`, `\\`, "[", `\[`).Replace(strings.ToLower(pattern))
	matched, _ := path.Match(escaped, strings.ToLower(name))
	return matched
}

// preferred are the kinds of key in the order in which ssh likes them, with the
// signatures that they are asked for.
var preferred = []struct {
	keyType    string
	algorithms []string
	certs      []string
}{
	{ssh.KeyAlgoED25519, []string{ssh.KeyAlgoED25519}, []string{ssh.CertAlgoED25519v01}},
	{ssh.KeyAlgoECDSA256, []string{ssh.KeyAlgoECDSA256}, []string{ssh.CertAlgoECDSA256v01}},
	{ssh.KeyAlgoECDSA384, []string{ssh.KeyAlgoECDSA384}, []string{ssh.CertAlgoECDSA384v01}},
	{ssh.KeyAlgoECDSA521, []string{ssh.KeyAlgoECDSA521}, []string{ssh.CertAlgoECDSA521v01}},
	{
		ssh.KeyAlgoRSA,
		[]string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
		[]string{ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01},
	},
}

// algorithms asks the host first for the kinds of key that it is known by.
func (k *knownHosts) algorithms() []string {
	var certs, first, rest []string
	for _, kind := range preferred {
		certs = append(certs, kind.certs...)
		known := func(key knownKey) bool { return key.key.Type() == kind.keyType }
		if slices.ContainsFunc(k.keys, known) {
			first = append(first, kind.algorithms...)
		} else {
			rest = append(rest, kind.algorithms...)
		}
	}
	plain := append(first, rest...)
	if len(k.authorities) == 0 {
		return plain
	}
	return append(certs, plain...)
}

// check is the ssh.HostKeyCallback.
func (k *knownHosts) check(address string, _ net.Addr, key ssh.PublicKey) error {
	if cert, ok := key.(*ssh.Certificate); ok {
		return k.checkCertificate(address, cert)
	}
	if line, revoked := find(k.revoked, key); revoked {
		return k.changed(key, []knownKey{line}, "is revoked")
	}
	if _, known := find(k.keys, key); known {
		return nil
	}
	var same []knownKey
	for _, entry := range k.keys {
		if entry.key.Type() == key.Type() {
			same = append(same, entry)
		}
	}
	if len(same) > 0 {
		return k.changed(key, same, "is not the one that is known")
	}
	return k.unknown(key)
}

func (k *knownHosts) checkCertificate(address string, cert *ssh.Certificate) error {
	checker := ssh.CertChecker{
		IsHostAuthority: func(authority ssh.PublicKey, _ string) bool {
			_, known := find(k.authorities, authority)
			return known
		},
		IsRevoked: func(cert *ssh.Certificate) bool {
			_, key := find(k.revoked, cert.Key)
			_, authority := find(k.revoked, cert.SignatureKey)
			return key || authority
		},
	}
	if err := checker.CheckHostKey(address, nil, cert); err != nil {
		return &hosts.Error{
			Kind: hosts.KindHostKeyUnknown, Op: "check the host certificate of " + k.options.address(), Err: err,
			Fix: "see that the certificate's principals name the host as the cluster file does, and that its authority stands in " +
				strings.Join(k.files, " or ") + " as @cert-authority",
		}
	}
	return nil
}

func find(lines []knownKey, key ssh.PublicKey) (knownKey, bool) {
	for _, line := range lines {
		if bytes.Equal(line.key.Marshal(), key.Marshal()) {
			return line, true
		}
	}
	return knownKey{}, false
}

func (k *knownHosts) unknown(key ssh.PublicKey) error {
	unknown := k.unknownKey(key)
	return &hosts.Error{
		Kind: hosts.KindHostKeyUnknown, Op: "check the host key of " + k.options.address(), Err: unknown,
		Fix: fmt.Sprintf("compare the fingerprint with what `ssh-keygen -lf /etc/ssh/%s` says on the host, and if it is the same: echo '%s' >> %s",
			hostKeyFile(key.Type()), unknown.Line, k.files[0]),
	}
}

// hostKeyFile is where sshd keeps a key of this kind.
func hostKeyFile(keyType string) string {
	kind := "rsa"
	switch {
	case keyType == ssh.KeyAlgoED25519:
		kind = "ed25519"
	case strings.HasPrefix(keyType, "ecdsa-"):
		kind = "ecdsa"
	}
	return "ssh_host_" + kind + "_key.pub"
}

func (k *knownHosts) changed(key ssh.PublicKey, lines []knownKey, how string) error {
	var expected []string
	for _, line := range lines {
		expected = append(expected, fmt.Sprintf("%s (%s)", ssh.FingerprintSHA256(line.key), line))
	}
	return &hosts.Error{
		Kind: hosts.KindHostKeyChanged, Op: "check the host key of " + k.options.address(),
		Err: fmt.Errorf("its %s key %s %s: %s", key.Type(), ssh.FingerprintSHA256(key), how, strings.Join(expected, ", ")),
		Fix: fmt.Sprintf("somebody may be in between. If the host was set up anew: ssh-keygen -R '%s' -f %s, then add its new key",
			lookupName(k.options.Host, k.options.Port), lines[0].file),
	}
}
