package manifests

import (
	"encoding/base64"
	goflag "flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

var update = goflag.Bool("update", false, "write the golden trees anew")

const golden = "../testdata/golden/hosts"

// TestGoldenTrees holds every host's tree of files, and the cluster's objects, against
// what is in the repository: a difference there is a difference on somebody's machines.
func TestGoldenTrees(t *testing.T) {
	for _, test := range []struct {
		name    string
		cluster *cluster.Cluster
		facts   hosts.Facts
	}{
		{"one-cgroup-v1", one(), confined()},
		{"one-cgroup-v2", one(), modern()},
		{"three", three(), modern()},
		{"vip", vip(), modern()},
		{"load-balancers", loadBalancers(), modern()},
		{"local", local(), modern()},
		{"external-etcd", externalEtcd(), modern()},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := input(t, test.cluster, test.facts)
			tree := map[string]string{}
			for _, host := range in.Cluster.Hosts {
				addHost(tree, render(t, in, host.Name))
			}
			state, err := ClusterObjects(in)
			if err != nil {
				t.Fatal(err)
			}
			addObjects(t, tree, state)
			compareTree(t, filepath.Join(golden, test.name), tree)
		})
	}
}

func addHost(tree map[string]string, state HostState) {
	for _, file := range state.Files {
		tree[state.Host+file.Path] = anonymous(file.Content)
	}
	tree[state.Host+"/STATE"] = describe(state)
}

func addObjects(t *testing.T, tree map[string]string, state ClusterState) {
	t.Helper()
	for i, object := range state.Objects {
		text, err := yaml.JSONToYAML(object.Content)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ReplaceAll(object.Key.Name, ":", "_")
		path := fmt.Sprintf("OBJECTS/%02d-%s-%s.yaml", i, strings.ToLower(object.Key.Kind), name)
		tree[path] = fmt.Sprintf("# %s: %s, %s\n%s", object.Phase, object.Key, object.Compare, anonymous(text))
	}
}

// describe is all of a host state that is not the content of a file.
func describe(state HostState) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("hostname %s", state.Hostname)
	line("swap off %v", state.DisableSwap)
	for _, module := range state.Modules {
		line("module %s", module)
	}
	for _, key := range slices.Sorted(maps.Keys(state.Sysctls)) {
		line("sysctl %s = %s", key, state.Sysctls[key])
	}
	for _, entry := range state.Entries {
		line("hosts entry %s %s", entry.Address, strings.Join(entry.Names, " "))
	}
	for _, set := range state.Sets {
		line("set %s", set.Name)
	}
	for _, image := range state.Images {
		line("image %s", image.Reference)
	}
	for _, d := range state.Directories {
		line("%s: directory %s %04o%s", d.Phase, d.Path, d.Mode, word(d.Seed, " seed"))
	}
	for _, f := range state.Files {
		line("%s: file %s %04o %s%s%s", f.Phase, f.Path, f.Mode, f.Compare, word(f.Secret, " secret"), leafWord(f))
	}
	for _, l := range state.Links {
		line("%s: link %s -> %s%s", l.Phase, l.Path, l.Target, word(l.Seed, " seed"))
	}
	for _, u := range state.Units {
		line("%s: unit %s enabled %v active %v, restarted for %s%s", u.Phase, u.Name, u.Enabled, u.Active,
			strings.Join(u.Inputs, " "), word(len(u.Reloads) > 0, ", reloaded for "+strings.Join(u.Reloads, " ")))
	}
	return b.String()
}

func word(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}

func leafWord(f File) string {
	var words string
	if f.Leaf != nil {
		words += " leaf " + f.Leaf.CommonName
	}
	if f.Server != "" {
		words += " server " + f.Server
	}
	return words + word(f.KeyPath != "", " key "+f.KeyPath) + word(f.CertPath != "", " certificate "+f.CertPath) +
		word(f.Unless != "", " unless "+f.Unless)
}

var (
	pemBlock = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n?`)
	encoded  = regexp.MustCompile(`LS0tLS1CRUdJTi[A-Za-z0-9+/=]+`)
	router   = regexp.MustCompile(`(virtual_router_id )\d+`)
	inputs   = regexp.MustCompile(`(slipway.dev/inputs: )sha256:[0-9a-f]{64}`)
)

// anonymous puts words in the place of keys and certificates, which are never golden.
func anonymous(content []byte) string {
	content = encoded.ReplaceAllFunc(content, func(text []byte) []byte {
		plain, err := base64.StdEncoding.DecodeString(string(text))
		if err != nil {
			return text
		}
		return fmt.Appendf(nil, "<%s>", pemWords(plain))
	})
	content = pemBlock.ReplaceAllFunc(content, func(block []byte) []byte {
		return fmt.Appendf(nil, "<%s>\n", pemWords(block))
	})
	content = router.ReplaceAll(content, []byte("${1}<of the identity>"))
	return inputs.ReplaceAllString(string(content), "${1}<digest>")
}

func pemWords(block []byte) string {
	if certificate, err := certs.Parse(block); err == nil {
		return "certificate of " + certificate.Subject.String()
	}
	if strings.Contains(string(block), "PUBLIC KEY") {
		return "public key"
	}
	return "private key"
}

// compareTree holds a tree of files against the one on disk, both ways; or writes it.
func compareTree(t *testing.T, root string, tree map[string]string) {
	t.Helper()
	if *update {
		writeTree(t, root, tree)
	}
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		found[filepath.ToSlash(name)] = string(content)
		return err
	})
	if err != nil {
		t.Fatalf("read the golden tree (-update writes it): %v", err)
	}
	if diff := cmp.Diff(found, tree); diff != "" {
		t.Errorf("%s differs (-golden +rendered; -update writes it anew):\n%s", root, diff)
	}
}

func writeTree(t *testing.T, root string, tree map[string]string) {
	t.Helper()
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	for name, content := range tree {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
