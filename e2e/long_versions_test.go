//go:build long

package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/cluster"
)

// TestLongKubeadmOfOlderVersions builds kubeadm of every older set of pins, and holds the row of its
// minor against it.
func TestLongKubeadmOfOlderVersions(t *testing.T) {
	for _, version := range pinned(t) {
		if version == cluster.DefaultKubernetesVersion {
			continue
		}
		t.Run(version, func(t *testing.T) { agreesWithKubeadm(t, component(t, "kubeadm", version), version) })
	}
}

// TestLongWhatAMinorHasNoMore compares the programs and sources of each minor with those of the minor
// before: what the table says is gone, or new, is all that is.
func TestLongWhatAMinorHasNoMore(t *testing.T) {
	minors := cluster.Minors()
	for i, minor := range minors[:len(minors)-1] {
		t.Run(minor.Name, func(t *testing.T) {
			now, before := sourcesOf(t, minor.Name), sourcesOf(t, minors[i+1].Name)
			gone := cluster.Gone{Flags: map[string][]string{}, Fields: map[string][]string{}}
			for _, program := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"} {
				missing(gone.Flags, program, before.flags(t, program), now.flags(t, program))
			}
			missing(gone.Flags, "etcd", before.etcdFlags(t), now.etcdFlags(t))
			fresh := map[string][]string{}
			for kind, file := range map[string]string{
				cluster.KubeletKind: "k8s.io/kubelet/config/v1beta1", cluster.KubeProxyKind: "k8s.io/kube-proxy/config/v1alpha1",
			} {
				missing(gone.Fields, kind, before.fields(t, file, kind), now.fields(t, file, kind))
				missing(fresh, kind, now.fields(t, file, kind), before.fields(t, file, kind))
			}
			gone.FeatureGates, gone.LockedGates = gatesGone(before.gates(t), now.gates(t))
			if len(gone.Fields) == 0 {
				gone.Fields = nil // as the table leaves it out
			}
			if diff := cmp.Diff(gone, minor.Gone); diff != "" {
				t.Errorf("gone in %s (-what the sources say, +the table):\n%s", minor.Name, diff)
			}
			if !reflect.DeepEqual(fresh, minor.NewFields) {
				t.Errorf("new in %s: the sources have %v, the table %v", minor.Name, fresh, minor.NewFields)
			}
		})
	}
}

// missing notes what the one list has and the other not.
func missing(into map[string][]string, name string, one, other []string) {
	for _, item := range one {
		if !slices.Contains(other, item) {
			into[name] = append(into[name], item)
		}
	}
}

// pinned are the versions of Kubernetes that bundle/components pins.
func pinned(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repository(), "bundle/components/v*/kube.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var versions []string
	for _, file := range append(files, filepath.Join(repository(), "bundle/components/kube/go.mod")) {
		versions = append(versions, versionIn(t, file, "k8s.io/kubernetes"))
	}
	return versions
}

func versionIn(t *testing.T, path, module string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse(path, content, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, required := range file.Require {
		if required.Mod.Path == module {
			return required.Mod.Version
		}
	}
	t.Fatalf("%s does not require %s", path, module)
	return ""
}

// component builds a program of a version of Kubernetes.
func component(t *testing.T, name, version string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	output(t, slipwayBinary(), "bundle", "build", "--component", name, "--kubernetes", version, "--out", path)
	return path
}

// sources are Kubernetes of one minor: its programs, and the folder of pins that they are built from;
// empty for the default's.
type sources struct{ program, pins string }

func sourcesOf(t *testing.T, minor string) sources {
	t.Helper()
	for _, version := range pinned(t) {
		if semver.MajorMinor(version) != minor {
			continue
		}
		s := sources{program: component(t, "kube", version)}
		if version != cluster.DefaultKubernetesVersion {
			s.pins = minor
		}
		return s
	}
	t.Fatalf("bundle/components pins nothing of %s", minor)
	return sources{}
}

// folder is where a module lies that a component is built from.
func (s sources) folder(t *testing.T, component, module string) string {
	t.Helper()
	modfile := "go.mod"
	if s.pins != "" {
		modfile = filepath.Join("..", s.pins, component+".mod")
	}
	return strings.TrimSpace(output(t, "go", "-C", "bundle/components/"+component, "list", "-m", "-modfile", modfile, "-f", "{{.Dir}}", module))
}

var flagLine = regexp.MustCompile(`(?m)^ +(?:-[a-zA-Z], )?--([a-z0-9-]+)`)

// flags are those that a program's help shows, in the order of the alphabet.
func (s sources) flags(t *testing.T, program string) []string {
	t.Helper()
	found := map[string]bool{}
	for _, match := range flagLine.FindAllStringSubmatch(output(t, s.program, program, "--help"), -1) {
		found[match[1]] = true
	}
	if len(found) < 30 {
		t.Fatalf("the help of %s shows %d flags", program, len(found))
	}
	return slices.Sorted(maps.Keys(found))
}

var etcdFlag = regexp.MustCompile(`(?:fs|flagSet)\.\w*Var\([^"]*"([a-z0-9-]+)"`)

// etcdFlags are those that etcd's sources define: its help does not have all.
func (s sources) etcdFlags(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	for _, name := range []string{"embed/config.go", "etcdmain/config.go"} {
		content, err := os.ReadFile(filepath.Join(s.folder(t, "etcd", "go.etcd.io/etcd/server/v3"), name))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range etcdFlag.FindAllStringSubmatch(string(content), -1) {
			found[match[1]] = true
		}
	}
	if len(found) < 60 {
		t.Fatalf("etcd's sources define %d flags", len(found))
	}
	return slices.Sorted(maps.Keys(found))
}

// fields are the first fields of a configuration's kind.
func (s sources) fields(t *testing.T, folder, kind string) []string {
	t.Helper()
	module := strings.Join(strings.Split(folder, "/")[:2], "/")
	path := filepath.Join(s.folder(t, "kube", module), strings.TrimPrefix(folder, module), "types.go")
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, isType := n.(*ast.TypeSpec)
		if !isType || spec.Name.Name != kind {
			return true
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			tag, err := strconv.Unquote(field.Tag.Value)
			if err != nil {
				t.Fatal(err)
			}
			if name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ","); name != "" {
				found = append(found, name)
			}
		}
		return false
	})
	if len(found) < 10 {
		t.Fatalf("%s of %s has the fields %v", kind, path, found)
	}
	return found
}

// gate is a feature gate as its last version has it.
type gate struct {
	Default       bool
	LockToDefault bool
}

// gates reads Kubernetes' own list.
func (s sources) gates(t *testing.T) map[string]gate {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.folder(t, "kube", "k8s.io/kubernetes"), "test/compatibility_lifecycle/reference/versioned_feature_list.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Name           string
		VersionedSpecs []gate
	}
	if err := yaml.Unmarshal(content, &list); err != nil || len(list) < 100 {
		t.Fatalf("%d feature gates, %v", len(list), err)
	}
	gates := map[string]gate{}
	for _, listed := range list {
		gates[listed.Name] = listed.VersionedSpecs[len(listed.VersionedSpecs)-1]
	}
	return gates
}

// gatesGone are those that are known no more, and those that can be set no more.
func gatesGone(before, now map[string]gate) (gone []string, locked map[string]bool) {
	locked = map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		is, found := now[name]
		switch {
		case !found:
			gone = append(gone, name)
		case is.LockToDefault && !before[name].LockToDefault:
			locked[name] = is.Default
		}
	}
	return gone, locked
}
