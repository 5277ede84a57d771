package plan

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with the file of that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

var deployment = hosts.ObjectKey{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "kube-system", Name: "coredns"}

// UnmarshalJSON reads what MarshalJSON wrote: nothing but tests reads a plan back.
func (s *Step) UnmarshalJSON(data []byte) error {
	var wire wireStep
	if err := strict(data, &wire); err != nil {
		return err
	}
	step := Step(wire.bareStep)
	var err error
	if wire.Action != nil {
		if step.Action, err = hosts.DecodeAction(wire.Action); err != nil {
			return err
		}
	}
	if wire.Cluster != nil {
		if step.Cluster, err = clusterActions.Decode(wire.Cluster); err != nil {
			return err
		}
	}
	*s = step
	return nil
}

func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func TestAPlanSurvivesJSON(t *testing.T) {
	p := every()
	data, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	var again Plan
	if err := strict(data, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, again); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
	if Digest(p) != Digest(again) || !strings.HasPrefix(Digest(p), "sha256:") {
		t.Errorf("digests %s and %s", Digest(p), Digest(again))
	}
	again.Steps[3].Why = "another reason"
	if Digest(p) == Digest(again) {
		t.Error("another plan has the same digest")
	}
}

func TestValidate(t *testing.T) {
	cordon := Cordon{Node: "a"}
	step := func(id, lane string, after ...Dependency) Step {
		return Step{ID: id, Phase: "p", Lane: lane, After: after, Cluster: cordon}
	}
	rescue := func(id, lane, of string, after ...Dependency) Step {
		s := step(id, lane, after...)
		s.Rescues = strings.Fields(of)
		return s
	}
	tests := []struct {
		name  string
		steps []Step
		want  string // empty: valid
	}{
		{"an edge forward in another lane", []Step{step("a", "1", All("b")), step("b", "2")}, ""},
		{"two of one id", []Step{step("a", "1"), step("a", "2")}, "two of this id"},
		{"an unknown step", []Step{step("a", "1", Any("b"))}, `"b", which is not in the plan`},
		{"an edge on nothing", []Step{step("a", "1", Dependency{})}, "waits for no step"},
		{"a cycle", []Step{step("a", "1", All("b")), step("b", "2", All("a"))}, "wait for each other: a, b"},
		{"a cycle by any", []Step{step("a", "1", Any("b")), step("b", "2", All("a"))}, "wait for each other"},
		{"a cycle through a lane", []Step{step("a", "1", All("b")), step("b", "1")}, "wait for each other"},
		{"rescue steps that wait for each other's", []Step{rescue("c", "2", "a b"), rescue("d", "2", "b", All("c")), step("a", "1"), step("b", "2")}, ""},
		{"a rescue step in the lane of what comes after", []Step{step("a", "1"), rescue("b", "1", "c"), step("c", "1", All("a"))}, ""},
		{"a rescue of nothing", []Step{step("a", "1"), rescue("b", "1", "c")}, `rescues "c", which is not in the plan`},
		{"a rescue of itself", []Step{rescue("a", "1", "a")}, `rescues "a", which is a rescue step itself`},
		{"a rescue of a rescue", []Step{step("a", "1"), rescue("b", "1", "a"), rescue("c", "1", "b")}, `rescues "b", which is a rescue step itself`},
		{"a step that waits for a rescue", []Step{step("a", "1"), rescue("b", "1", "a"), step("c", "1", Any("a", "b"))}, `"b", which runs only if others fail`},
		{"a rescue that waits for a step", []Step{step("a", "1"), rescue("b", "1", "a", All("a"))}, `waits for "a" by more than its rescues`},
		{"a circle of rescues", []Step{step("a", "1"), rescue("b", "1", "a", All("c")), rescue("c", "1", "a")}, "wait for each other: b, c"},
		{"no id", []Step{{Phase: "p", Lane: "l", Cluster: cordon}}, "no id"},
		{"no phase", []Step{{ID: "a", Lane: "l", Cluster: cordon}}, "no phase"},
		{"no lane", []Step{{ID: "a", Phase: "p", Cluster: cordon}}, "no lane"},
		{"no action", []Step{{ID: "a", Phase: "p", Lane: "l"}}, "no action"},
		{"two actions", []Step{{ID: "a", Phase: "p", Lane: "l", Host: "h", Cluster: cordon, Action: hosts.StopPods{}}}, "two actions"},
		{"a host's action nowhere", []Step{{ID: "a", Phase: "p", Lane: "l", Action: hosts.StopPods{}}}, "no host is named"},
		{"the cluster's action on a host", []Step{{ID: "a", Phase: "p", Lane: "l", Host: "h", Cluster: cordon}}, "host h is named"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := Validate(Plan{Steps: test.steps})
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want something of %q", err, test.want)
			}
		})
	}
}

// TestDigestOfAPlanWhosePodsCameAndWent: a node's Pods change while a plan waits for its
// yes, and it is no other plan for that.
func TestDigestOfAPlanWhosePodsCameAndWent(t *testing.T) {
	digest := func(action hosts.RemoveNetwork) string {
		return Digest(Plan{Workflow: "reset", Steps: []Step{{ID: "w-1/cleanup-node/network", Host: "w-1", Action: action}}})
	}
	shown := digest(hosts.RemoveNetwork{Links: []string{"cni0"}, Pods: []hosts.Sandbox{{ID: "1", Namespace: "cni-1"}}})
	if shown != digest(hosts.RemoveNetwork{Links: []string{"cni0"}, Pods: []hosts.Sandbox{{ID: "2"}}}) {
		t.Error("another Pod makes another plan")
	}
	if shown == digest(hosts.RemoveNetwork{Links: []string{"cni1"}}) {
		t.Error("another link makes no other plan")
	}
}

func TestText(t *testing.T) {
	golden(t, "every.txt", Text(every()))
	golden(t, "summary.txt", Summary(every()))
	if text := Text(Plan{}); !strings.Contains(text, "Nothing to do") {
		t.Errorf("an empty plan reads %q", text)
	}
}

// TestWhatMayNotRunIsNotCounted among what a plan changes.
func TestWhatMayNotRunIsNotCounted(t *testing.T) {
	p := every()
	without := p
	without.Steps = slices.DeleteFunc(slices.Clone(p.Steps), Step.IsRescue)
	got, want := Summarise(p).Counts, Summarise(without).Counts
	if want.Rescues = 3; got != want {
		t.Errorf("counted %+v, should be %+v", got, want)
	}
}

func TestRefs(t *testing.T) {
	want := map[string]string{
		"write-file": "sha256:aa", "wait-pods": "sha256:cc", "unpack": "sha256:bb", "load-image": "sha256:ee sha256:ff", "load-policy-module": "sha256:de", "apply": "secret:01",
	}
	for _, step := range every().Steps {
		if got := strings.Join(Refs(step), " "); got != want[Kind(step)] {
			t.Errorf("%s needs %q, want %q", Kind(step), got, want[Kind(step)])
		}
	}
}

func TestContentsKeepSecretsOutOfSight(t *testing.T) {
	contents := Contents{}
	open := contents.Put([]byte("a file"))
	secret := contents.PutSecret([]byte("the cluster's key"), []byte("hunter2"))
	if open != Ref([]byte("a file")) || !strings.HasPrefix(secret, "secret:") || secret == SecretRef([]byte("another"), []byte("hunter2")) {
		t.Errorf("refs %s and %s", open, secret)
	}
	blob, ok := contents.Blob(secret)
	if !ok || !blob.Secret || blob.Size != 7 || blob.SHA256 != strings.TrimPrefix(Ref([]byte("hunter2")), "sha256:") {
		t.Errorf("blob %+v", blob)
	}
	if _, ok := contents.Blob("sha256:bundle"); ok {
		t.Error("contents claim to have what is the bundle's")
	}
	if _, err := contents.MarshalJSON(); err == nil {
		t.Error("contents let themselves be serialised")
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if shown := fmt.Sprintf(format, contents); strings.Contains(shown, "hunter2") || strings.Contains(shown, "104 117") {
			t.Errorf("%s shows %s", format, shown)
		}
	}
}
