package cluster

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestSyntaxErrorsSayWhere(t *testing.T) {
	tests := map[string]struct {
		file         string
		line, column int
		message      string
	}{
		"bad indent":      {"a: b\nhosts:\n  - name: a\n   address: b\n", 4, 4, "did not find expected '-' indicator"},
		"a tab":           {"a: b\n\tc: d\n", 2, 1, "found a tab character that violates indentation"},
		"two colons":      {"a: b\nc: d: e\n", 2, 5, "mapping values are not allowed in this context"},
		"open quote":      {"a: b\nc: \"foo\nb: c\nd: e\n", 2, 4, "found unexpected end of stream"},
		"open bracket":    {"a: [1, 2\nb: c\n", 1, 8, "did not find expected ',' or ']'"},
		"second document": {"a: b\n---\nc: d\n  e: f\n", 4, 4, "mapping values are not allowed in this context"},
		"unknown alias":   {"a: b\nc: *x\n", 2, 5, "unknown anchor 'x' referenced"},
		"a null byte":     {"a: b\nb: \x00\n", 2, 4, "control characters are not allowed"},
		"not UTF-8":       {"a: b\nb: ä\xff\n", 2, 5, "invalid leading UTF-8 octet"},
		"at sign":         {"ä: ö\nb: @c\n", 2, 4, "found character that cannot start any token"},
		"closing brace":   {"a: }\n", 1, 4, "did not find expected node content"},
		"carriage return": {"a: b\r\nc: d: e\r\n", 2, 5, "mapping values are not allowed in this context"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Load([]byte(test.file))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("got %v, want a *SyntaxError", err)
			}
			if syntax.Line != test.line || syntax.Column != test.column || syntax.Message != test.message {
				t.Errorf("got line %d, column %d: %s; want line %d, column %d: %s",
					syntax.Line, syntax.Column, syntax.Message, test.line, test.column, test.message)
			}
		})
	}
}

func TestSyntaxErrorPointsAtTheLine(t *testing.T) {
	err := &SyntaxError{Line: 2, Column: 3, Message: "no", Text: "\tc: d"}
	if want := "line 2, column 3: no\n  \tc: d\n  \t ^"; err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
}

func TestATooLargeFileIsNotParsed(t *testing.T) {
	_, err := Load([]byte(strings.Repeat("# padding\n", maxFile/10+1)))
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || !strings.Contains(syntax.Message, "larger than 1 MiB") {
		t.Errorf("got %v", err)
	}
}

// Nine lines of aliases are a billion values; they must cost nothing.
func TestManyAliasesEnd(t *testing.T) {
	file := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 10; i++ {
		previous := string(rune('0' + i - 1))
		item := "*a" + previous
		file += "a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.Repeat(item+", ", 9) + item + "]\n"
	}
	began := time.Now()
	all := problems(t, one+file)
	if want := "the file is too large or too deep once its aliases are followed"; len(all) != 1 || all[0] != want {
		t.Errorf("got %v", all)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	c := load(t, `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: example
ssh: &gate {user: admin, proxyCommand: gate}
hosts:
  - &cp {name: cp-1, address: 192.0.2.11, roles: [control-plane], ssh: {<<: *gate, port: 2222, user: root}}
  - {<<: [*cp], name: worker-1, address: 192.0.2.12, roles: [worker]}
`)
	want := []Host{
		{Name: "cp-1", Addresses: []string{"192.0.2.11"}, Roles: []Role{RoleControlPlane}},
		{Name: "worker-1", Addresses: []string{"192.0.2.12"}, Roles: []Role{RoleWorker}},
	}
	for i := range want {
		want[i].SSH = SSH{Host: want[i].Address(), Port: 2222, User: "root", ProxyCommand: "gate"}
	}
	if diff := cmp.Diff(want, c.Hosts); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
}

func TestNullsAndDatesAndEmptyDocuments(t *testing.T) {
	c := load(t, "---\n"+one+`networking: ~
kubernetesVersion:
registries: null
certificates: {extraSANs: [2026-01-02]}
---
# nothing
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
`)
	if c.KubernetesVersion != DefaultKubernetesVersion || c.Networking.PodSubnets[0] != DefaultPodSubnet {
		t.Errorf("null is not the default: %+v", c)
	}
	if diff := cmp.Diff([]string{"2026-01-02"}, c.Certificates.ExtraSANs); diff != "" {
		t.Errorf("a date: %s", diff)
	}
	if c.Kubelet == nil || c.KubeProxy != nil {
		t.Errorf("further documents: %v, %v", c.Kubelet, c.KubeProxy)
	}
}

func TestJSONIsRead(t *testing.T) {
	c := load(t, `{"apiVersion": "slipway.dev/v1alpha1", "kind": "Cluster", "name": "example",
	"hosts": [{"name": "cp-1", "address": "192.0.2.11", "roles": ["control-plane"]}]}`)
	if diff := cmp.Diff(load(t, one), c); diff != "" {
		t.Errorf("JSON is read otherwise than YAML:\n%s", diff)
	}
}

func FuzzLoad(f *testing.F) {
	for _, file := range []string{one, minimal, full, outside, balanced, string(Example()), "a: *x", "&a [*a]", "<<: 1", "? [a]\n: b", "- ", "!!binary x", "a: .inf", "%YAML 1.1\n---\n"} {
		f.Add([]byte(file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Load(data)
		var (
			invalid *Invalid
			syntax  *SyntaxError
		)
		switch {
		case errors.As(err, &invalid):
			if len(invalid.Problems) == 0 {
				t.Error("invalid without a problem")
			}
			for _, problem := range invalid.Problems {
				if problem.Message == "" || problem.Line < 0 {
					t.Errorf("a problem that says nothing: %+v", problem)
				}
			}
		case errors.As(err, &syntax):
			if syntax.Line < 1 || syntax.Column < 1 || !utf8.ValidString(syntax.Error()) {
				t.Errorf("a syntax error nowhere: %+v", syntax)
			}
		case err != nil:
			t.Errorf("an error without apiVersion and kind: %v", err)
		default:
			again(t, c)
		}
	})
}

// again writes a cluster and reads it back.
func again(t *testing.T, c *Cluster) {
	t.Helper()
	text, err := Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	read, err := Load(text)
	if err != nil {
		t.Fatalf("what was written is not valid: %v\n%s", err, text)
	}
	if diff := cmp.Diff(c, read); diff != "" {
		t.Errorf("what was written is read otherwise:\n%s\n%s", diff, text)
	}
}
