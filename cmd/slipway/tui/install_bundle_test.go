package tui

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

func bundleOf(path, version string) workflow.FoundBundle {
	return workflow.FoundBundle{Path: path, Digest: "sha256:" + path, Bill: bundle.Bill{KubernetesVersion: version}}
}

// TestTheChosenBundleStays: one whose path was typed stays in the list, and the choice stays, when the screen is uncovered
// again or the bundles are found in another order; and the file's screen shows it.
func TestTheChosenBundleStays(t *testing.T) {
	in := installerOnPaper(t, onPaper(t, Terminal{}, text.English), fileOnPaper)
	s := newBundleScreen(in)
	chosen := func(when, want string) {
		t.Helper()
		if one := s.chosen(); one == nil || one.Path != want {
			t.Errorf("%s %+v is chosen, want %s", when, one, want)
		}
	}
	s.update(bundlesMsg{of: s, found: []workflow.FoundBundle{bundleOf("a.tar", "v1.37.2"), bundleOf("b.tar", "v1.37.1")}})
	chosen("at first", "a.tar")
	s.update(keyOf("down"))
	s.update(bundlesMsg{of: s, found: []workflow.FoundBundle{bundleOf("b.tar", "v1.37.1"), bundleOf("a.tar", "v1.37.2")}})
	chosen("in another order", "b.tar")

	if s.open("/mnt/mine.tar") == nil {
		t.Fatal("the path is looked at before the screen goes on")
	}
	s.update(keyOf("n"))
	if len(s.due) > 0 {
		t.Error("one goes on with another bundle while the path is looked at")
	}
	s.update(namedMsg{s, bundleOf("/mnt/mine.tar", "v1.37.0")})
	chosen("typed", "/mnt/mine.tar")
	again := []workflow.FoundBundle{bundleOf("a.tar", "v1.37.2"), bundleOf("b.tar", "v1.37.1")}
	s.update(bundlesMsg{of: s, found: again, named: []workflow.FoundBundle{bundleOf("/mnt/mine.tar", "v1.37.0")}})
	chosen("uncovered again", "/mnt/mine.tar")

	s.update(keyOf("n"))
	if in.bundle.Path != "/mnt/mine.tar" {
		t.Errorf("the bundle is %q", in.bundle.Path)
	}
	shown := strings.Join(newFileScreen(in).body(80, 20), "\n")
	if !strings.Contains(shown, "Bundle: /mnt/mine.tar, Kubernetes v1.37.0") {
		t.Errorf("the file's screen does not show the bundle:\n%s", shown)
	}
	s = newBundleScreen(in)
	s.update(bundlesMsg{of: s, found: again})
	chosen("on a new screen", "/mnt/mine.tar")
	gone := bundleOf("/mnt/mine.tar", "v1.37.0")
	gone.Err = errors.New("there is no such file")
	s.update(bundlesMsg{of: s, found: again, named: []workflow.FoundBundle{gone}})
	if chosen("gone", "/mnt/mine.tar"); s.chosen().Err == nil {
		t.Error("a file that is gone can still be used")
	}
}

// TestTheFormsBundle: the form of a workflow looks for bundles beside the program, fills in the best that can be used, names the
// others, and leaves alone what was typed.
func TestTheFormsBundle(t *testing.T) {
	bad := bundleOf("bad.tar", "v1.37.9")
	bad.Err = errors.New("nobody trusted has signed it")
	for _, c := range []struct {
		found []workflow.FoundBundle
		keys  []string
		want  string
	}{
		{[]workflow.FoundBundle{bad, bundleOf("good.tar", "v1.37.2")}, nil, "good.tar"},
		{[]workflow.FoundBundle{bad}, nil, ""},
		{[]workflow.FoundBundle{bundleOf("good.tar", "v1.37.2")}, []string{"enter", "x", ".", "t", "a", "r", "enter"}, "x.tar"},
		{nil, []string{"enter", "x", "enter"}, "x"},
	} {
		w := workflow.UpgradeApply
		s := newRequestScreen(onPaper(t, Terminal{}, text.English), "ha.yaml", w, nil)
		s.form.list.at = slices.Index(s.form.fields, s.bundle)
		if s.bundle.value != "" || s.begin() == nil {
			t.Error("bundles are looked for before the screen is there")
		}
		for _, name := range c.keys {
			s.update(keyOf(name))
		}
		if len(c.keys) == 0 {
			s.update(keyOf("n"))
			if len(s.due) > 0 {
				t.Error("it begins before the bundles are found")
			}
		}
		s.update(formBundlesMsg{s, c.found})
		if s.bundle.value != c.want {
			t.Errorf("%v: the bundle is %q, want %q", c.keys, s.bundle.value, c.want)
		}
		help := s.tell(s.bundle.help)
		for _, one := range c.found {
			about := one.Path + " (Kubernetes " + one.Bill.KubernetesVersion
			if one.Err != nil {
				about += ", cannot be used"
			}
			if !strings.Contains(help, about+")") {
				t.Errorf("the help does not name %s: %s", about, help)
			}
		}
		if !s.bundle.isText() {
			t.Error("no other path can be typed")
		}
	}
	s := onPaper(t, Terminal{}, text.English)
	s.options.Bundle = filepath.Join("dist", "said.tar")
	r := newRequestScreen(s, "ha.yaml", workflow.UpgradeApply, nil)
	r.update(tea.Msg(formBundlesMsg{r, []workflow.FoundBundle{bundleOf("good.tar", "v1.37.2")}}))
	if r.bundle.value != s.options.Bundle {
		t.Errorf("of a command line that says a bundle there is %s", r.bundle.value)
	}
}
