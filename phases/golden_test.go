package phases

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

var update = flag.Bool("update", false, "write the golden files anew")

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

// edges writes which step waits for which.
func edges(p plan.Plan) string {
	var b strings.Builder
	for _, step := range p.Steps {
		b.WriteString(step.ID + " [" + step.Lane + "]")
		for _, dependency := range step.After {
			word := " after "
			if dependency.Any {
				word = " after any of "
			}
			b.WriteString(word + strings.Join(dependency.Steps, ", "))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestPlansReadAsExpected(t *testing.T) {
	w := newWorld(t, 1, 1)
	p, contents := w.planned(Init)
	golden(t, "init.txt", plan.Text(p))
	golden(t, "init-edges.txt", edges(p))
	w.run(p, contents, seeded(1), -1)
	w.add(2)
	p, _ = w.planned(Join)
	golden(t, "join.txt", plan.Text(p))
	p, _ = w.planned(resetting("w-1"))
	golden(t, "reset-worker.txt", plan.Text(p))
	golden(t, "reset-worker-edges.txt", edges(p))
	p, _ = w.planned(resetting("cp-1", "w-1", "w-2"))
	golden(t, "reset.txt", plan.Text(p))
}

func TestPlansHoldNoSecret(t *testing.T) {
	w := newWorld(t, 1, 1)
	p, contents := w.planned(Init)
	data, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	secrets := 0
	for _, step := range p.Steps {
		file, ok := step.Action.(hosts.WriteFile)
		if !ok || !file.Secret {
			continue
		}
		secrets++
		content := contents[file.Content]
		digest := strings.TrimPrefix(plan.Ref(content), "sha256:")
		if bytes.Contains(data, content) || bytes.Contains(data, []byte(digest)) || bytes.Contains(data, []byte(hex.EncodeToString(content))) {
			t.Errorf("the plan tells of %s", file.Path)
		}
		if !strings.HasPrefix(file.Content, "secret:") || file.Content != plan.SecretRef(w.pki.Secret, content) {
			t.Errorf("%s is called %s", file.Path, file.Content)
		}
	}
	if secrets < 10 {
		t.Errorf("only %d secrets in the plan", secrets)
	}
}
