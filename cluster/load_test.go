package cluster

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// minimal says as little as a file can.
const minimal = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: example
endpoint: {host: 192.0.2.100}
hosts:
  - name: cp-1
    address: 192.0.2.11
    roles: [control-plane]
  - name: cp-2
    address: 192.0.2.12
    roles: [control-plane]
  - name: cp-3
    address: 192.0.2.13
    roles: [control-plane]
  - name: worker-1
    address: 192.0.2.21
    roles: [worker]
  - name: worker-2
    address: 192.0.2.22
    roles: [worker]
`

func load(t *testing.T, text string) *Cluster {
	t.Helper()
	c, err := Load([]byte(text))
	if err != nil {
		t.Fatalf("load: %v\n%s", err, text)
	}
	return c
}

// problems loads a file that must be invalid and gives its problems as text.
func problems(t *testing.T, text string) []string {
	t.Helper()
	_, err := Load([]byte(text))
	var invalid *Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("load: got %v, want an *Invalid, of\n%s", err, text)
	}
	var all []string
	for _, problem := range invalid.Problems {
		all = append(all, problem.String())
	}
	return all
}

func TestExampleSpellsOutTheDefaults(t *testing.T) {
	defaults := load(t, minimal)
	defaults.SSH.User = DefaultSSHUser // unless ~/.ssh/config says otherwise
	Defaults(defaults)
	if diff := cmp.Diff(defaults, load(t, string(Example()))); diff != "" {
		t.Errorf("the example says other than the defaults (-defaults +example):\n%s", diff)
	}
}

// Every commented line of the example must be right once its mark is taken off.
func TestExampleCommentsAreRight(t *testing.T) {
	var lines []string
	for line := range strings.Lines(string(Example())) {
		trimmed := strings.TrimLeft(line, " ")
		indent := line[:len(line)-len(trimmed)]
		if rest, found := strings.CutPrefix(trimmed, "# "); found && !prose.MatchString(rest) {
			line = indent + rest
		}
		lines = append(lines, line)
	}
	c := load(t, strings.Join(lines, ""))
	if len(c.Registries) != 2 || len(c.ExtraArgs.APIServer) != 1 || c.Kubelet["maxPods"] != int64(200) || c.KubeProxy["mode"] != "nftables" ||
		c.Endpoint.VRRP != (VRRP{Interface: "eth0", RouterID: 51, Preempt: true}) || c.Etcd.External == nil || len(c.ExtraVolumes.APIServer) != 1 {
		t.Errorf("the comments were not read: %+v", c)
	}
}

// The example, which "config print" shows, is where a user finds what a file may have.
func TestTheExampleNamesEveryField(t *testing.T) {
	for _, field := range fieldNames(reflect.TypeFor[Cluster](), map[reflect.Type]bool{}) {
		if !regexp.MustCompile(`\b` + field + `\b`).Match(Example()) {
			t.Errorf("the example does not name the field %s", field)
		}
	}
}

// fieldNames are the names that a type's fields have in a file, with those of the types below.
func fieldNames(of reflect.Type, seen map[reflect.Type]bool) []string {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		return fieldNames(of.Elem(), seen)
	case reflect.Struct:
	default:
		return nil
	}
	if seen[of] {
		return nil
	}
	seen[of] = true
	var names []string
	for _, field := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(append(names, name), fieldNames(field.Type, seen)...)
		}
	}
	return names
}

func TestMarshalAndLoadAgree(t *testing.T) {
	for name, file := range map[string]string{"minimal": minimal, "full": full, "outside": outside, "balanced": balanced} {
		c := load(t, file)
		text, err := Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, load(t, string(text))); diff != "" {
			t.Errorf("%s, written and read again (-before +after):\n%s\n%s", name, diff, text)
		}
	}
}
