package ssh_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// unknownKey connects to a server that the known_hosts file does not know.
func unknownKey(t *testing.T, server *hosttest.Server, file string) *ssh.UnknownKey {
	t.Helper()
	o := options(server)
	o.KnownHostsFile = file
	err := refused(t, o, hosts.KindHostKeyUnknown)
	var key *ssh.UnknownKey
	if !errors.As(err, &key) {
		t.Fatalf("the key is not in the error: %v", err)
	}
	return key
}

func content(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	return string(text)
}

// TestAnUnknownKeyIsAccepted: into a file and folder that are not there yet, for their owner
// alone; the second time nothing is added.
func TestAnUnknownKeyIsAccepted(t *testing.T) {
	server := newServer(t)
	file := filepath.Join(t.TempDir(), "ssh", "known_hosts")
	key := unknownKey(t, server, file)
	if want := xssh.FingerprintSHA256(server.HostKey()); key.Fingerprint != want || key.Type != "ssh-ed25519" || key.File != file || key.Other != "" {
		t.Errorf("got %+v, want the key %s", key, want)
	}
	for range 2 {
		must(t, key.Accept())
	}
	if got := content(t, file); got != key.Line+"\n" {
		t.Errorf("the file holds %q, want the line %q once", got, key.Line)
	}
	for path, mode := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has the mode %v", path, info.Mode().Perm())
		}
	}
	o := options(server)
	o.KnownHostsFile = file
	connect(t, o)
}

// TestAnAcceptedKeyHasALineOfItsOwn, whatever the file ends with, and what is there stays.
func TestAnAcceptedKeyHasALineOfItsOwn(t *testing.T) {
	server := newServer(t)
	for _, before := range []string{"# a comment", "# a comment\n", ""} {
		file := filepath.Join(t.TempDir(), "known_hosts")
		must(t, os.WriteFile(file, []byte(before), 0o644))
		key := unknownKey(t, server, file)
		must(t, key.Accept())
		want := key.Line + "\n"
		if before != "" {
			want = "# a comment\n" + want
		}
		if got := content(t, file); got != want {
			t.Errorf("after %q the file holds %q", before, got)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("the mode of a file that was there is %v, %v", info.Mode(), err)
		}
	}
}

// TestManyKeysAreAcceptedAtOnce into one file, each on its own line.
func TestManyKeysAreAcceptedAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known_hosts")
	must(t, os.WriteFile(file, []byte("# no newline"), 0o600))
	var keys []*ssh.UnknownKey
	for range 8 {
		keys = append(keys, unknownKey(t, newServer(t), file))
	}
	var wait sync.WaitGroup
	errs := make([]error, len(keys))
	for i, key := range keys {
		wait.Go(func() { errs[i] = key.Accept() })
	}
	wait.Wait()
	must(t, errors.Join(errs...))
	lines := strings.Split(content(t, file), "\n")
	for _, key := range keys {
		found := 0
		for _, line := range lines {
			if line == key.Line {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%q stands there %d times", key.Line, found)
		}
	}
}

// TestAChangedOrRevokedKeyIsNeverAccepted: there is nothing to accept in its error, and a key that
// was unknown once is no longer accepted where the file says otherwise by now.
func TestAChangedOrRevokedKeyIsNeverAccepted(t *testing.T) {
	server := newServer(t)
	other := newSigner(t).PublicKey()
	for name, line := range map[string]func(key *ssh.UnknownKey) string{
		"changed": func(key *ssh.UnknownKey) string { return strings.Fields(key.Line)[0] + " " + authorized(other) },
		"revoked": func(key *ssh.UnknownKey) string { return "@revoked * " + strings.SplitN(key.Line, " ", 2)[1] },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "known_hosts")
			key := unknownKey(t, server, file)
			before := line(key) + "\n"
			must(t, os.WriteFile(file, []byte(before), 0o600))
			var known *hosts.Error
			if err := key.Accept(); !errors.As(err, &known) || known.Kind != hosts.KindHostKeyChanged {
				t.Errorf("it is accepted: %v", err)
			}
			if got := content(t, file); got != before {
				t.Errorf("the file was changed: %q", got)
			}
			o := options(server)
			o.KnownHostsFile = file
			err := refused(t, o, hosts.KindHostKeyChanged)
			if errors.As(err, &key) {
				t.Errorf("a key to accept is in the error: %v", err)
			}
		})
	}
}

// TestOnlyOneKeyOfOneHostIsAccepted: a line that would say more is refused, and nothing is made.
func TestOnlyOneKeyOfOneHostIsAccepted(t *testing.T) {
	server := newServer(t)
	file := filepath.Join(t.TempDir(), "made", "known_hosts")
	key, rest := authorized(server.HostKey()), authorized(newSigner(t).PublicKey())
	fingerprint := xssh.FingerprintSHA256(server.HostKey())
	for _, line := range []string{
		"* " + key, "192.0.2.1,192.0.2.2 " + key, "!192.0.2.1 " + key, "[192.0.2.?]:22 " + key, "[192.0.2.1]:x " + key,
		"@cert-authority 192.0.2.1 " + key, "192.0.2.1 " + key + "\n192.0.2.2 " + rest, "192.0.2.1 " + rest, "", "nonsense",
	} {
		made := &ssh.UnknownKey{Type: "ssh-ed25519", Fingerprint: fingerprint, Line: line, File: file}
		if err := made.Accept(); err == nil {
			t.Errorf("%q is accepted", line)
		}
	}
	if _, err := os.Stat(filepath.Dir(file)); !os.IsNotExist(err) {
		t.Errorf("the folder was made: %v", err)
	}
	made := &ssh.UnknownKey{Type: "ssh-ed25519", Fingerprint: fingerprint, Line: "192.0.2.1 " + key, File: file}
	must(t, made.Accept())
}

// TestAKeyThatCannotBeKeptIsNotAccepted: /dev/null would take it and forget it.
func TestAKeyThatCannotBeKeptIsNotAccepted(t *testing.T) {
	key := unknownKey(t, newServer(t), "/dev/null")
	var known *hosts.Error
	if err := key.Accept(); !errors.As(err, &known) || !strings.Contains(known.Fix, "knownHostsFile") || !strings.Contains(err.Error(), "is not a file that keeps anything") {
		t.Errorf("it is accepted, or nothing says what to do: %v", err)
	}
}

// TestTrustGoesByTheFingerprint, and logs in to nothing.
func TestTrustGoesByTheFingerprint(t *testing.T) {
	server := newServer(t)
	o := options(server)
	o.IdentityFile = "/nowhere/id" // none is needed
	o.KnownHostsFile = filepath.Join(t.TempDir(), "known_hosts")
	other := xssh.FingerprintSHA256(newSigner(t).PublicKey())
	_, _, err := ssh.Trust(t.Context(), o, other)
	wantError(t, err, hosts.KindHostKeyUnknown, xssh.FingerprintSHA256(server.HostKey()), other, "nothing was written", "ssh_host_ed25519_key.pub")
	if _, err := os.Stat(o.KnownHostsFile); !os.IsNotExist(err) {
		t.Errorf("the file was made: %v", err)
	}
	for _, first := range []bool{true, false} {
		key, added, err := ssh.Trust(t.Context(), o, xssh.FingerprintSHA256(server.HostKey()))
		must(t, err)
		if added != first || content(t, o.KnownHostsFile) != key.Line+"\n" {
			t.Errorf("added %v, want %v: %q", added, first, content(t, o.KnownHostsFile))
		}
	}
	if server.Starts() > 0 {
		t.Error("the agent was started")
	}
	before := content(t, o.KnownHostsFile)
	server.UseHostKeys(newSigner(t))
	_, _, err = ssh.Trust(t.Context(), o, xssh.FingerprintSHA256(server.HostKey()))
	wantError(t, err, hosts.KindHostKeyChanged, "ssh-keygen -R")
	if got := content(t, o.KnownHostsFile); got != before {
		t.Errorf("the file was changed: %q", got)
	}
}

func TestTrustIsGivenUp(t *testing.T) {
	noLeaks(t)
	server := newServer(t)
	server.SetHooks(hosttest.Hooks{Conn: hang})
	o := options(server)
	o.ConnectTimeout = 300 * time.Millisecond
	_, _, err := ssh.Trust(t.Context(), o, "SHA256:x")
	wantError(t, err, hosts.KindUnreachable, "no answer after 300ms")
}
