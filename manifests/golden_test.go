package manifests

import (
	"encoding/base64"
	goflag "flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

var update = goflag.Bool("update", false, "write the golden trees anew")

const golden = "../testdata/golden/hosts"

// tree is what Slipway puts on a host, or into a cluster, by path. Its section STATE says
// all that is not the content of a file.
type tree map[string]string

// TestGoldenTrees compares every host's files, and every cluster's objects, with the
// archives in the repository: a difference there is a difference on somebody's machines.
//
// A cluster's first host of each role stands as it differs from the base cluster's, and
// its other hosts as they differ from the first: what all hosts have, only the first of
// all says.
func TestGoldenTrees(t *testing.T) {
	trees, archives := map[string]tree{}, map[string]string{}
	first := map[string]string{}
	for _, test := range []struct {
		name, base string
		cluster    *cluster.Cluster
		facts      hosts.Facts
	}{
		{"one-cgroup-v2", "", one(), modern()},
		{"one-cgroup-v1", "one-cgroup-v2", one(), confined()},
		{"vip", "one-cgroup-v2", vip(), modern()},
		{"load-balancers", "vip", loadBalancers(), modern()},
		{"local", "vip", local(), modern()},
		{"external-etcd", "vip", externalEtcd(), modern()},
		{"dual-stack", "vip", dual(), modern()},
		{"ipv6", "one-cgroup-v2", six(), modern()},
		{"three", "one-cgroup-v2", three(), modern()},
	} {
		in := input(t, test.cluster, test.facts)
		add := func(name, kind string, content tree) {
			path, key := test.name+"/"+name, test.name+" "+kind
			like, isLater := first[key]
			if !isLater {
				like, first[key] = first[test.base+" "+kind], path
			}
			trees[path], archives[path+".txtar"] = content, archive(t, content, like, trees[like])
		}
		for _, host := range in.Cluster.Hosts {
			add(host.Name, string(host.Roles[0]), hostTree(render(t, in, host.Name)))
		}
		state, err := ClusterObjects(in)
		if err != nil {
			t.Fatal(err)
		}
		add("objects", "objects", objectsTree(t, state))
	}
	compareGolden(t, archives)
}

func hostTree(state HostState) tree {
	content := tree{}
	for _, file := range state.Files {
		if !onlyKeys.MatchString(anonymous(file.Content)) {
			content[file.Path] = anonymous(file.Content)
		}
	}
	content["STATE"] = describe(state)
	return content
}

func objectsTree(t *testing.T, state ClusterState) tree {
	t.Helper()
	content := tree{}
	for _, object := range state.Objects {
		text, err := yaml.JSONToYAML(object.Content)
		if err != nil {
			t.Fatal(err)
		}
		content["STATE"] += fmt.Sprintf("%s: %s, %s\n", object.Phase, object.Key, object.Compare)
		content[strings.ToLower(object.Key.Kind)+" "+object.Key.Name] = anonymous(text)
	}
	return content
}

// archive writes a tree; where it is like another, as the lines in which it differs.
func archive(t *testing.T, content tree, likeName string, like tree) string {
	t.Helper()
	var a txtar.Archive
	if likeName != "" {
		a.Comment = fmt.Appendf(nil, "Like %s, but for these lines.\n", likeName)
	}
	for _, path := range slices.Sorted(maps.Keys(content)) {
		text, before := content[path], like[path]
		if !strings.HasSuffix(text, "\n") {
			text += "\n(no newline at the end)\n"
		}
		if before != "" {
			path, text = path+".diff", differences(t, before, content[path])
		}
		if text != "" {
			a.Files = append(a.Files, txtar.File{Name: path, Data: []byte(text)})
		}
	}
	return string(txtar.Format(&a))
}

// differences are the lines of a diff without their numbers, which would change with
// every line above. A line that only came has the one before it beside it, as its place.
func differences(t *testing.T, before, after string) string {
	t.Helper()
	diff, err := udiff.ToUnifiedDiff("", "", before, udiff.Lines(before, after), 1)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, hunk := range diff.Hunks {
		lines := hunk.Lines
		if lines[len(lines)-1].Kind == udiff.Equal {
			lines = lines[:len(lines)-1]
		}
		if lines[0].Kind == udiff.Equal && lines[1].Kind == udiff.Delete {
			lines = lines[1:]
		}
		for _, line := range lines {
			b.WriteString(map[udiff.OpKind]string{udiff.Delete: "-", udiff.Insert: "+", udiff.Equal: " "}[line.Kind] + line.Content)
		}
	}
	return b.String()
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
		line("%s: file %s %04o %s%s%s%s", f.Phase, f.Path, f.Mode, f.Compare, word(f.Secret, " secret"), leafWord(f), keyWords(f))
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

// keyWords says what a file of keys and certificates holds.
func keyWords(f File) string {
	text := anonymous(f.Content)
	return word(onlyKeys.MatchString(text), ": "+strings.ReplaceAll(strings.TrimSpace(text), "\n", " "))
}

var (
	onlyKeys = regexp.MustCompile(`^(<.*>\n)+$`)
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

// compareGolden compares the archives with those on disk, both ways; or writes them.
func compareGolden(t *testing.T, archives map[string]string) {
	t.Helper()
	if *update {
		writeGolden(t, archives)
	}
	found := map[string]string{}
	paths, err := filepath.Glob(golden + "/*/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(golden, path)
		found[filepath.ToSlash(name)] = string(content)
	}
	for name := range found {
		if archives[name] == "" {
			t.Errorf("%s/%s: no cluster of this test has it; -update removes it", golden, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(archives)) {
		if diff := cmp.Diff(strings.Split(found[name], "\n"), strings.Split(archives[name], "\n")); diff != "" {
			t.Errorf("%s differs (-golden +rendered; -update writes it anew):\n%s", name, diff)
		}
	}
}

func writeGolden(t *testing.T, archives map[string]string) {
	t.Helper()
	if err := os.RemoveAll(golden); err != nil {
		t.Fatal(err)
	}
	for name, content := range archives {
		path := filepath.Join(golden, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
