package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/bundle/archive"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// smallBundle is a bundle with nothing in it, signed where a key is given.
func smallBundle(t *testing.T, key ed25519.PrivateKey) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.tar")
	content := archive.Content{
		Bill: bundle.Bill{APIVersion: bundle.APIVersion, KubernetesVersion: "v1.36.3", Platform: bundle.Platform{OS: "linux", Arch: "amd64"}},
		Open: func(string) (io.ReadCloser, error) { return nil, errors.New("there is no blob") },
	}
	content.SignKey = key
	if _, err := archive.Write(path, content, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

// keyPair is a key, and a file with its public half.
func keyPair(t *testing.T, folder string) (ed25519.PrivateKey, string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "key.pub")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return private, file
}

func TestABundleIsUsedOnlyWithATrustedSignature(t *testing.T) {
	ours, oursFile := keyPair(t, t.TempDir())
	theirs, _ := keyPair(t, t.TempDir())
	config := t.TempDir()
	folders, _ := keyPair(t, filepath.Join(config, "slipway", "trusted-keys"))
	broken := filepath.Join(t.TempDir(), "broken.pub")
	if err := os.WriteFile(broken, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		key    ed25519.PrivateKey
		named  string // in the cluster file
		folder bool   // the user has a folder of trusted keys
		code   int
		says   []string
	}{
		"nobody is trusted, unsigned":            {nil, "", false, exitDone, []string{": unsigned"}},
		"nobody is trusted, signed":              {theirs, "", false, exitDone, []string{"signed by the unknown key sha256:"}},
		"ours is trusted":                        {ours, oursFile, false, exitDone, []string{"signed by the trusted key sha256:"}},
		"ours is trusted, unsigned":              {nil, oursFile, false, exitRefused, []string{"BundleSignature", "unsigned", "--sign-key", "bundle.trustedKeyFiles"}},
		"ours is trusted, theirs signed":         {theirs, oursFile, false, exitRefused, []string{"BundleSignature", "not trusted", "bundle.trustedKeyFiles"}},
		"the folder's is trusted":                {folders, "", true, exitDone, []string{"signed by the trusted key sha256:"}},
		"the folder's is trusted, unsigned":      {nil, "", true, exitRefused, []string{"BundleSignature", "unsigned", "trusted-keys"}},
		"the file's count, and not the folder's": {folders, oursFile, true, exitRefused, []string{"not trusted"}},
		"a key that cannot be read is no trifle": {ours, broken, false, exitUsage, []string{"broken.pub", "Ed25519"}},
		"a key that is not there is no trifle":   {ours, filepath.Join(config, "no.pub"), false, exitUsage, []string{"no.pub"}},
	} {
		t.Setenv("XDG_CONFIG_HOME", t.TempDir())
		if test.folder {
			t.Setenv("XDG_CONFIG_HOME", config)
		}
		file := filepath.Join(t.TempDir(), "c.yaml")
		text := "apiVersion: slipway.dev/v1alpha1\nkind: Cluster\nname: demo\nhosts:\n  - {name: cp-1, address: 192.0.2.11, roles: [control-plane]}\n"
		if test.named != "" {
			text += "bundle: {trustedKeyFiles: [" + test.named + "]}\n"
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := newProgram()
		s, err := p.open(clusterFlags{file: file, bundle: smallBundle(t, test.key)}, p.silent())
		var said bytes.Buffer
		if code := report(&said, err, false); code != test.code {
			t.Errorf("%s: exit code %d, want %d: %v", name, code, test.code, err)
		}
		if err == nil {
			said.WriteString(plan.Text(plan.Plan{Bundle: s.BundleName()}))
			s.Close()
		}
		for _, want := range test.says {
			if !strings.Contains(said.String(), want) {
				t.Errorf("%s: %q is not said: %s", name, want, said.String())
			}
		}
	}
}

func TestTheSigningKeyIsMadeOnceForItsUserOnly(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	first, public, err := ownSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := ownSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	if !first.Equal(again) {
		t.Error("another key the second time")
	}
	keys, err := workflow.ReadTrustedKeys([]string{public})
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 1 || !keys[0].Equal(first.Public()) {
		t.Error("the public half is another key's")
	}
	folder := filepath.Dir(public)
	for path, mode := range map[string]os.FileMode{folder: 0o700, filepath.Join(folder, signingPrivate): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 2 {
		t.Errorf("beside the key there is %v, %v", entries, err)
	}
}

// TestABuiltBundlesSignatureIsChecked by the key that signed it, and told is where others find
// that key.
func TestABuiltBundlesSignatureIsChecked(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "key.pem")
	own, public, err := bundleBuildFlags{sign: true}.signingKey()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(filepath.Dir(public), signingPrivate))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		flags bundleBuildFlags
		says  string
		tells bool // where the public key is
	}{
		"by the user's own key": {bundleBuildFlags{sign: true}, "signed by the trusted key sha256:", true},
		"by a key in a file":    {bundleBuildFlags{signKey: file}, "signed by the trusted key sha256:", false},
		"not signed":            {bundleBuildFlags{}, "unsigned", false},
	} {
		key, public, err := test.flags.signingKey()
		if err != nil || key != nil && !key.Equal(own) {
			t.Fatalf("%s: %v", name, err)
		}
		var out bytes.Buffer
		if err := summarise(&out, smallBundle(t, key), key, public); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if tells := strings.Contains(out.String(), "trust it: "+filepath.Join(os.Getenv("XDG_STATE_HOME"), "slipway", signingFolder, signingPublic)); !strings.Contains(out.String(), test.says) || tells != test.tells {
			t.Errorf("%s: it says\n%s", name, out.String())
		}
	}
	if _, _, err := (bundleBuildFlags{sign: true, signKey: file}).signingKey(); exitCode(err) != exitUsage {
		t.Errorf("by two keys: %v", err)
	}
}

// TestAFolderWithoutAKeyTrustsNobody: it must not mean the same as no folder at all.
func TestAFolderWithoutAKeyTrustsNobody(t *testing.T) {
	config := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config)
	if own, err := workflow.OwnTrust(); err != nil || len(own.Keys) > 0 {
		t.Fatalf("without a folder: %v, %v", own, err)
	}
	folder := filepath.Join(config, "slipway", "trusted-keys")
	if err := os.MkdirAll(filepath.Join(folder, "old"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, ".key.pub"), []byte("hidden"), 0o600); err != nil {
		t.Fatal(err)
	}
	if own, err := workflow.OwnTrust(); err == nil || !strings.Contains(err.Error(), folder+" has no key in it") {
		t.Errorf("with an empty one: %v, %v", own, err)
	}
}
