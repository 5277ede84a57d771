package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

// config runs a config command and gives what it printed.
func config(t *testing.T, args ...string) (string, error) {
	t.Helper()
	command := newRootCommand(newProgram())
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetErr(io.Discard)
	command.SetArgs(append([]string{"config"}, args...))
	err := command.Execute()
	return out.String(), err
}

func clusterFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const withKubelet = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: try
hosts: [{name: cp-1, address: 192.0.2.11, roles: [control-plane], ssh: {identityFile: id}}]
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
maxPods: 50
`

func TestConfigPrintIsAFileToStartFrom(t *testing.T) {
	text, err := config(t, "print")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Load([]byte(text)); err != nil {
		t.Errorf("what is printed is not valid: %v", err)
	}
	if !strings.Contains(text, "# ") {
		t.Error("nothing is explained")
	}
}

func TestConfigPrintCompletesAFile(t *testing.T) {
	once, err := config(t, "print", "-f", clusterFile(t, withKubelet))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"podSubnets:\n    - 10.244.0.0/16", "identityFile: id\n", "maxPods: 50", "host: 192.0.2.11"} {
		if !strings.Contains(once, want) {
			t.Errorf("%q is missing of\n%s", want, once)
		}
	}
	twice, err := config(t, "print", "-f", clusterFile(t, once))
	if err != nil || once != twice {
		t.Errorf("completed again it is another (%v):\n%s", err, twice)
	}
}

func TestConfigPrintAsJSON(t *testing.T) {
	text, err := config(t, "print", "-f", clusterFile(t, withKubelet), "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	decoder := json.NewDecoder(strings.NewReader(text))
	for decoder.More() {
		var document struct{ Kind string }
		if err := decoder.Decode(&document); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, document.Kind)
	}
	if strings.Join(kinds, " ") != "Cluster KubeletConfiguration" {
		t.Errorf("documents %v", kinds)
	}
}

func TestConfigValidate(t *testing.T) {
	tests := map[string]struct {
		file, want string
		valid      bool
		problems   int
	}{
		"valid":   {withKubelet, "cluster.yaml is valid\n", true, 0},
		"invalid": {strings.NewReplacer("name: try", "nmae: try", "maxPods", "maxPod").Replace(withKubelet), "cluster.yaml:3: nmae: unknown field\n  → did you mean name?\n", false, 2},
		"no YAML": {"a: b: c\n", "cluster.yaml: line 1, column 5: mapping values are not allowed in this context\n  a: b: c\n      ^\n", false, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := clusterFile(t, test.file)
			text, err := config(t, "validate", "-f", path)
			if !strings.Contains(text, test.want) {
				t.Errorf("got\n%s\nwant\n%s", text, test.want)
			}
			var exit *exitError
			if test.valid != (err == nil) || err != nil && (!errors.As(err, &exit) || exit.code != exitUsage) {
				t.Errorf("ends with %v", err)
			}
			text, _ = config(t, "validate", "-f", path, "-o", "json")
			var found verdict
			if err := json.Unmarshal([]byte(text), &found); err != nil {
				t.Fatalf("%v of\n%s", err, text)
			}
			if found.Valid != test.valid || len(found.Problems) != test.problems || (found.Syntax != nil) != (name == "no YAML") {
				t.Errorf("for programs it says %+v", found)
			}
		})
	}
}

func TestConfigWrongUsage(t *testing.T) {
	invalid := clusterFile(t, "apiVersion: slipway.dev/v1alpha1\nkind: Cluster\n")
	for _, args := range [][]string{
		{"print", "-o", "text"}, {"print", "-f", "/no/such/file"}, {"print", "-f", invalid},
		{"validate", "-f", invalid, "-o", "xml"}, {"validate", "-f", "/no/such/file"},
	} {
		if text, err := config(t, args...); exitCode(err) != exitUsage || text != "" {
			t.Errorf("%v: %v, printed %q", args, err, text)
		}
	}
}

func TestConfigSchema(t *testing.T) {
	text, err := config(t, "schema")
	if err != nil || !json.Valid([]byte(text)) {
		t.Errorf("%v:\n%s", err, text)
	}
}
