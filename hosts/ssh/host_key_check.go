package ssh

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

// check is the ssh.HostKeyCallback.
func (k *knownHosts) check(_ string, _ net.Addr, key ssh.PublicKey) error {
	if cert, ok := key.(*ssh.Certificate); ok {
		if k.wantsCertificates() {
			return k.checkCertificate(cert)
		}
		return k.checkUnwanted(cert)
	}
	if line, revoked := find(k.revoked, key); revoked {
		return k.isRevoked("its key", key, line)
	}
	if len(k.options.HostKeys) > 0 {
		return k.checkPins(key)
	}
	if k.knows(key) {
		return nil
	}
	if same := k.sameType(key); len(same) > 0 {
		return k.changed(key, same)
	}
	return k.unknown(key)
}

// knows tells that a line about the host has a key. As ssh does, one without a port counts at another port as well: the
// host at the usual one may be the same. Where its key is another one, they are two hosts behind one name, and nothing
// has changed.
func (k *knownHosts) knows(key ssh.PublicKey) bool {
	_, exactly := find(k.keys, key)
	_, bare := find(k.withoutPort, key)
	return exactly || bare && len(k.sameType(key)) == 0
}

// sameType are the lines about the host that have a key of this one's type.
func (k *knownHosts) sameType(key ssh.PublicKey) []knownKey {
	var same []knownKey
	for _, entry := range k.keys {
		if entry.key.Type() == key.Type() {
			same = append(same, entry)
		}
	}
	return same
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
	if k.options.TrustOnFirstUse && unknown.Other == "" {
		return k.trustNow(unknown)
	}
	return &hosts.Error{
		Kind: hosts.KindHostKeyUnknown, Op: "check the host key of " + k.options.address(), Err: unknown,
		Fix: fmt.Sprintf("compare the fingerprint with what `%s` says on the host, and if it is the same: %s", unknown.Where(), unknown.keep()),
	}
}

// trustNow accepts the key of a host that is seen for the first time, and says so.
func (k *knownHosts) trustNow(unknown *UnknownKey) error {
	if err := unknown.Accept(); err != nil {
		return err
	}
	k.options.note(fmt.Sprintf("%s: its %s key %s was not known, and is trusted from now on (%s), since --trust-on-first-use was said: compare it with what `%s` says on the host",
		cmp.Or(k.options.jumpName(), k.options.Name), unknown.Type, unknown.Fingerprint, unknown.File, unknown.Where()))
	return nil
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

// isRevoked is about a key that a line revokes: for every host, whatever the line names, since it is in wrong hands.
func (k *knownHosts) isRevoked(what string, key ssh.PublicKey, line knownKey) error {
	return &hosts.Error{
		Kind: hosts.KindHostKeyChanged, Op: "check the host key of " + k.options.address(),
		Err: fmt.Errorf("%s (%s %s) is revoked by %s", what, key.Type(), ssh.FingerprintSHA256(key), line),
		Fix: fmt.Sprintf("somebody may be in between. What is revoked is refused in every place: give the host a new key; or, if %s is wrong, take that line out", line),
	}
}

// changed is about a key in whose place lines have others.
func (k *knownHosts) changed(key ssh.PublicKey, lines []knownKey) error {
	var expected []string
	for _, line := range lines {
		expected = append(expected, fmt.Sprintf("%s (%s)", ssh.FingerprintSHA256(line.key), line))
	}
	return &hosts.Error{
		Kind: hosts.KindHostKeyChanged, Op: "check the host key of " + k.options.address(),
		Err: fmt.Errorf("its %s key %s is not the one that is known: %s", key.Type(), ssh.FingerprintSHA256(key), strings.Join(expected, ", ")),
		Fix: fmt.Sprintf("somebody may be in between. If the host was set up anew: ssh-keygen -R '%s' -f %s, then add its new key",
			k.options.lookupName(), lines[0].file),
	}
}
