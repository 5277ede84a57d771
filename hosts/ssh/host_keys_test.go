package ssh_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

func newECDSA(t *testing.T) xssh.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	signer, err := xssh.NewSignerFromKey(key)
	must(t, err)
	return signer
}

// TestPinnedHostKeys count in place of known_hosts: a fingerprint, or a whole key, of any type that the host has.
func TestPinnedHostKeys(t *testing.T) {
	server, other := newServer(t), newECDSA(t)
	server.UseHostKeys(newSigner(t), other)
	first := server.HostKey()
	o := options(server)
	o.KnownHostsFile = "/nowhere"
	for name, pins := range map[string][]string{
		"the fingerprint":                {xssh.FingerprintSHA256(first)},
		"one of several":                 {xssh.FingerprintSHA256(newSigner(t).PublicKey()), xssh.FingerprintSHA256(first)},
		"the key":                        {authorized(first) + " a comment"},
		"the fingerprint of another key": {xssh.FingerprintSHA256(other.PublicKey())},
		"another key":                    {authorized(other.PublicKey())},
	} {
		t.Run(name, func(t *testing.T) {
			o.HostKeys = pins
			connect(t, o)
		})
	}
	for name, pin := range map[string]string{
		"a fingerprint": xssh.FingerprintSHA256(newSigner(t).PublicKey()), "a key": authorized(newSigner(t).PublicKey()),
	} {
		t.Run(name+" that it does not have", func(t *testing.T) {
			o.HostKeys = []string{pin}
			o.TrustOnFirstUse = true // which is about known_hosts
			refused(t, o, hosts.KindHostKeyChanged, "is none of those that ssh.hostKeys of the cluster file has: SHA256:", "ssh-keygen -lf", "write SHA256:")
		})
	}
	o.HostKeys = []string{xssh.FingerprintSHA256(first)}
	o.KnownHostsFile = filepath.Join(t.TempDir(), "known_hosts")
	must(t, os.WriteFile(o.KnownHostsFile, []byte("@revoked * "+authorized(first)+"\n"), 0o600))
	refused(t, o, hosts.KindHostKeyChanged, "is revoked")
}

// disguised is a host that shows a certificate under the name of a plain key: it was not asked for one.
type disguised struct {
	xssh.Signer
	cert *xssh.Certificate
}

func (d disguised) PublicKey() xssh.PublicKey { return plainlyNamed{d.cert} }

type plainlyNamed struct{ *xssh.Certificate }

func (p plainlyNamed) Type() string { return p.Key.Type() }

// TestNoCertificateStandsForAPinnedKey, nor is one taken that the host was not asked for, whoever has signed it.
func TestNoCertificateStandsForAPinnedKey(t *testing.T) {
	server, authority, key := newServer(t), newSigner(t), newSigner(t)
	cert := certificate(t, authority, key.PublicKey(), xssh.HostCert, time.Hour, server.Host)
	server.UseHostKeys(disguised{key, cert})
	writeKnownHosts(t, server, "@cert-authority * "+authorized(authority.PublicKey()))
	o := options(server)
	o.HostKeys = []string{xssh.FingerprintSHA256(newSigner(t).PublicKey())}
	refused(t, o, hosts.KindHostKeyChanged, xssh.FingerprintSHA256(key.PublicKey())+" is none of those that ssh.hostKeys of the cluster file has")
	o.HostKeys = []string{xssh.FingerprintSHA256(key.PublicKey())}
	connect(t, o)
	writeKnownHosts(t, server, "@revoked * "+authorized(authority.PublicKey()))
	refused(t, o, hosts.KindHostKeyChanged, "revoked")
	o.HostKeys = nil
	writeKnownHosts(t, server, "192.0.2.1 "+authorized(key.PublicKey()))
	refused(t, o, hosts.KindHostKeyUnknown, "it shows a certificate, and was not asked for one")
}

// TestALineWithoutAPortAccusesNobody: as in ssh, it is taken for a host at another port that has the same key, and
// says nothing of one that has another, as where one address leads to several hosts by their ports.
func TestALineWithoutAPortAccusesNobody(t *testing.T) {
	server := newServer(t)
	o := options(server)
	usual := server.Host + " " + authorized(newSigner(t).PublicKey())
	writeKnownHosts(t, server, usual)
	err := refused(t, o, hosts.KindHostKeyUnknown, "is not in "+server.KnownHostsFile)
	var unknown *ssh.UnknownKey
	if !errors.As(err, &unknown) || unknown.Other != "" {
		t.Fatalf("no key to accept, or another one's line: %v", err)
	}
	must(t, unknown.Accept())
	connect(t, o)

	writeKnownHosts(t, server, usual)
	if _, added, err := ssh.Trust(t.Context(), o, unknown.Fingerprint); err != nil || !added {
		t.Errorf("trusted: %v, %v", added, err)
	}
	connect(t, o)

	writeKnownHosts(t, server, usual)
	o.TrustOnFirstUse = true
	connect(t, o)

	right, place := server.Host+" "+authorized(server.HostKey()), "["+server.Host+"]:"+strconv.Itoa(server.Port)+" "
	writeKnownHosts(t, server, right, place+authorized(newECDSA(t).PublicKey()))
	connect(t, o) // the key at this port is of another type, and so another one
	writeKnownHosts(t, server, right, place+authorized(newSigner(t).PublicKey()))
	refused(t, o, hosts.KindHostKeyChanged, "is not the one that is known")
}

// TestOnlyTheUsersFileIsWrittenTo: where the configuration says that there is none, no key is kept, and what to do instead is said.
func TestOnlyTheUsersFileIsWrittenTo(t *testing.T) {
	for own, why := range map[string]string{"none": "UserKnownHostsFile none", "/dev/null": "/dev/null is not a file that keeps anything"} {
		t.Run(own, func(t *testing.T) {
			server := newServer(t)
			all := filepath.Join(t.TempDir(), "ssh_known_hosts")
			must(t, os.WriteFile(all, nil, 0o600))
			t.Setenv("HOME", homeWith(t, map[string]string{"config": "UserKnownHostsFile " + own + "\nGlobalKnownHostsFile " + all + "\n"}))
			o := options(server)
			o.ConfigFile, o.KnownHostsFile = "", ""
			words := []string{why, "ssh.knownHostsFile", "ssh.hostKeys"}
			err := refused(t, o, hosts.KindHostKeyUnknown, words[1:]...)
			if strings.Contains(err.Fix, ">>") {
				t.Errorf("it says to write where nothing is kept: %s", err.Fix)
			}
			_, _, trusted := ssh.Trust(t.Context(), o, xssh.FingerprintSHA256(server.HostKey()))
			wantError(t, trusted, hosts.KindBroken, words...)
			o.TrustOnFirstUse = true
			refused(t, o, hosts.KindBroken, words...)
			if text := content(t, all); text != "" {
				t.Errorf("written to the file of all users: %q", text)
			}
		})
	}
}

// TestNamesOfHostsAreTheSameInUpperCase, also where known_hosts has them as hashes.
func TestNamesOfHostsAreTheSameInUpperCase(t *testing.T) {
	server := newServer(t)
	key := authorized(server.HostKey())
	for name, test := range map[string]struct{ line, config string }{
		"a name":         {knownhosts.HashHostname("[localhost]:"+strconv.Itoa(server.Port)) + " " + key, "Host x\n"},
		"HostName":       {knownhosts.HashHostname("[localhost]:"+strconv.Itoa(server.Port)) + " " + key, "HostName LocalHost\n"},
		"an alias":       {knownhosts.HashHostname("web") + " " + key, "HostKeyAlias WEB\n"},
		"without a port": {knownhosts.HashHostname("localhost") + " " + key, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HOME", homeWith(t, map[string]string{"config": test.config, "known_hosts": test.line + "\n"}))
			o := options(server)
			o.Host, o.ConfigFile, o.KnownHostsFile = "LOCALHOST", "", ""
			connect(t, o)
		})
	}
}

// TestARevokedKeyIsToldByItsLine, whatever host the line names: what has revoked the key is to be changed, and no other.
func TestARevokedKeyIsToldByItsLine(t *testing.T) {
	server := newServer(t)
	writeKnownHosts(t, server, address(server)+" "+authorized(server.HostKey()), "@revoked 192.0.2.7 "+authorized(server.HostKey()))
	err := refused(t, options(server), hosts.KindHostKeyChanged, "is revoked by "+server.KnownHostsFile+":2", "in every place", "a new key")
	if strings.Contains(err.Fix, "ssh-keygen -R") || strings.Contains(err.Fix, "set up anew") {
		t.Errorf("it says to remove another line: %s", err.Fix)
	}
	authority, key := newSigner(t), newSigner(t)
	signer, failed := xssh.NewCertSigner(certificate(t, authority, key.PublicKey(), xssh.HostCert, time.Hour, server.Host), key)
	must(t, failed)
	server.UseHostKeys(signer)
	writeKnownHosts(t, server, "@cert-authority * "+authorized(authority.PublicKey()), "@revoked 192.0.2.7 "+authorized(authority.PublicKey()))
	refused(t, options(server), hosts.KindHostKeyChanged, "the authority of its certificate", "is revoked by "+server.KnownHostsFile+":2")
}

// TestTrustOnFirstUse writes unknown keys down and says so; others are refused as ever.
func TestTrustOnFirstUse(t *testing.T) {
	server := newServer(t)
	o := options(server)
	o.KnownHostsFile = filepath.Join(t.TempDir(), "new", "known_hosts")
	var notes []string
	o.Note = func(text string) { notes = append(notes, text) }
	refused(t, o, hosts.KindHostKeyUnknown, "is not in")
	o.TrustOnFirstUse = true
	connect(t, o)
	connect(t, o)
	print := xssh.FingerprintSHA256(server.HostKey())
	if len(notes) != 1 || !strings.Contains(notes[0], "cp-1: its ssh-ed25519 key "+print+" was not known, and is trusted from now on ("+o.KnownHostsFile+")") {
		t.Errorf("told %q", notes)
	}
	info, err := os.Stat(o.KnownHostsFile)
	must(t, err)
	if text := content(t, o.KnownHostsFile); strings.Count(text, "\n") != 1 || !strings.Contains(text, authorized(server.HostKey())) || info.Mode().Perm() != 0o600 {
		t.Errorf("written (%v): %q", info.Mode(), text)
	}
	server.UseHostKeys(newSigner(t))
	refused(t, o, hosts.KindHostKeyChanged, "somebody may be in between")
	server.UseHostKeys(newECDSA(t)) // of a type that is not known, for a host that is
	refused(t, o, hosts.KindHostKeyUnknown, "a key of another kind is")
}

// TestHashKnownHosts has a name written that nobody can read.
func TestHashKnownHosts(t *testing.T) {
	server := newServer(t)
	o := options(server)
	file := filepath.Join(t.TempDir(), "known_hosts")
	t.Setenv("HOME", homeWith(t, map[string]string{"config": "HashKnownHosts yes\nUserKnownHostsFile " + file + "\n"}))
	o.ConfigFile, o.KnownHostsFile, o.TrustOnFirstUse = "", "", true
	connect(t, o)
	if text := content(t, file); !strings.HasPrefix(text, "|1|") || strings.Contains(text, server.Host) {
		t.Errorf("written: %q", text)
	}
	o.TrustOnFirstUse = false
	connect(t, o)
}

// TestKeysOfHostsByTheConfiguration: an alias, several files, none, and types.
func TestKeysOfHostsByTheConfiguration(t *testing.T) {
	server, other := newServer(t), newECDSA(t)
	server.UseHostKeys(newSigner(t), other)
	known := filepath.Join(t.TempDir(), "known_hosts")
	for name, test := range map[string]struct {
		lines, config string
		kind          hosts.ErrorKind // empty: it connects
		words         []string
	}{
		"an alias":           {"other " + authorized(server.HostKey()), "HostKeyAlias other\nUserKnownHostsFile KNOWN", "", nil},
		"the second file":    {address(server) + " x\n[127.0.0.1]:* " + authorized(server.HostKey()), "UserKnownHostsFile /nowhere KNOWN", "", nil},
		"a global file":      {"* " + authorized(server.HostKey()), "UserKnownHostsFile none\nGlobalKnownHostsFile KNOWN", "", nil},
		"no file":            {"* " + authorized(server.HostKey()), "UserKnownHostsFile none\nGlobalKnownHostsFile none", hosts.KindHostKeyUnknown, []string{"is not in "}},
		"the type is chosen": {"* " + authorized(server.HostKey()) + "\n* " + authorized(other.PublicKey()), "HostKeyAlgorithms ecdsa-*\nUserKnownHostsFile KNOWN", "", nil},
		"a type is left out": {"* " + authorized(server.HostKey()), "HostKeyAlgorithms -ssh-ed25519*\nUserKnownHostsFile KNOWN", hosts.KindHostKeyUnknown, []string{"ecdsa-sha2-nistp256", "a key of another kind is"}},
		"no type is left":    {"* " + authorized(server.HostKey()), "HostKeyAlgorithms ssh-rsa,ssh-dss\nUserKnownHostsFile KNOWN", hosts.KindBroken, []string{"is none that is safe", "ssh-ed25519"}},
		"a key is revoked":   {"* " + authorized(server.HostKey()), "UserKnownHostsFile KNOWN\nRevokedHostKeys REVOKED", hosts.KindHostKeyChanged, []string{"is revoked"}},
		"a list is missing":  {"* " + authorized(server.HostKey()), "UserKnownHostsFile KNOWN\nRevokedHostKeys /nowhere", hosts.KindBroken, []string{"read RevokedHostKeys", "/nowhere"}},
		"a revocation list":  {"* " + authorized(server.HostKey()), "UserKnownHostsFile KNOWN\nRevokedHostKeys KRL", hosts.KindBroken, []string{"is a key revocation list, which only ssh reads"}},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, os.WriteFile(known, []byte(test.lines+"\n"), 0o600))
			revoked, krl := filepath.Join(t.TempDir(), "revoked"), filepath.Join(t.TempDir(), "krl")
			must(t, os.WriteFile(revoked, []byte(authorized(server.HostKey())+"\n"), 0o600))
			must(t, os.WriteFile(krl, []byte("SSHKRL\n\x00"), 0o600))
			config := strings.NewReplacer("KNOWN", known, "REVOKED", revoked, "KRL", krl).Replace(strings.ReplaceAll(test.config, "UserKnownHostsFile", "User\x00"))
			config = strings.ReplaceAll(config, "User\x00", "UserKnownHostsFile")
			t.Setenv("HOME", homeWith(t, map[string]string{"config": config + "\n"}))
			o := options(server)
			o.ConfigFile, o.KnownHostsFile = "", ""
			if test.kind == "" {
				connect(t, o)
			} else {
				refused(t, o, test.kind, test.words...)
			}
		})
	}
}

// TestHostCertificatesThatAreNotTaken say why, and what to do.
func TestHostCertificatesThatAreNotTaken(t *testing.T) {
	ca := newSigner(t)
	key := newSigner(t)
	for name, test := range map[string]struct {
		cert  *xssh.Certificate
		lines string
		kind  hosts.ErrorKind
		words []string
	}{
		"it has expired":                     {certificate(t, ca, key.PublicKey(), xssh.HostCert, -time.Hour, "127.0.0.1"), "@cert-authority * CA", hosts.KindHostKeyUnknown, []string{"cert has expired", "sign the host's key anew: ssh-keygen -s CA", "-V +52w"}},
		"it is for another":                  {certificate(t, ca, key.PublicKey(), xssh.HostCert, time.Hour, "cp-2.example.com"), "@cert-authority * CA", hosts.KindHostKeyUnknown, []string{`certificate "test", for cp-2.example.com`, "connect by a name that the certificate has", "HostKeyAlias"}},
		"its key is revoked":                 {certificate(t, ca, key.PublicKey(), xssh.HostCert, time.Hour, "127.0.0.1"), "@cert-authority * CA\n@revoked * " + authorized(key.PublicKey()), hosts.KindHostKeyChanged, []string{"revoked", "somebody may be in between"}},
		"it is a user's":                     {certificate(t, ca, key.PublicKey(), xssh.UserCert, time.Hour, "127.0.0.1"), "@cert-authority * CA", hosts.KindHostKeyUnknown, []string{"certificate presented as a host key has type 1"}},
		"its CA is not known":                {certificate(t, newSigner(t), key.PublicKey(), xssh.HostCert, time.Hour, "127.0.0.1"), "@cert-authority * CA", hosts.KindHostKeyUnknown, []string{"no authorities for hostname", "@cert-authority 127.0.0.1 KEY"}},
		"its key is known":                   {certificate(t, newSigner(t), key.PublicKey(), xssh.HostCert, -time.Hour, "cp-2.example.com"), "@cert-authority * CA\n* KEY", "", nil},
		"its key is known at the usual port": {certificate(t, ca, key.PublicKey(), xssh.HostCert, -time.Hour, "127.0.0.1"), "@cert-authority * CA\n127.0.0.1 KEY", "", nil},
		"another key is known":               {certificate(t, ca, key.PublicKey(), xssh.HostCert, -time.Hour, "127.0.0.1"), "@cert-authority * CA\n* " + authorized(newSigner(t).PublicKey()), hosts.KindHostKeyUnknown, []string{"cert has expired"}},
		"its CA is revoked":                  {certificate(t, ca, key.PublicKey(), xssh.HostCert, time.Hour, "127.0.0.1"), "@cert-authority * CA\n* KEY\n@revoked * CA", hosts.KindHostKeyChanged, []string{"revoked"}},
		"it is for a pattern":                {certificate(t, ca, key.PublicKey(), xssh.HostCert, time.Hour, "127.0.*"), "@cert-authority * CA", "", nil},
		"its CA is for others":               {certificate(t, ca, key.PublicKey(), xssh.HostCert, time.Hour, "127.0.0.1"), "@cert-authority *.example.com CA", hosts.KindHostKeyUnknown, []string{"is not in"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t)
			signer, err := xssh.NewCertSigner(test.cert, key)
			must(t, err)
			server.UseHostKeys(signer, key)
			writeKnownHosts(t, server, strings.NewReplacer("CA", authorized(ca.PublicKey()), "KEY", authorized(key.PublicKey())).Replace(test.lines))
			if test.kind == "" {
				connect(t, options(server))
			} else {
				refused(t, options(server), test.kind, test.words...)
			}
		})
	}
}
