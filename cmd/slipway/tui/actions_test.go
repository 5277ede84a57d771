package tui

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

// TestEveryWorkflowHasAForm: whatever the table has is offered, with all its options, and what is filled in is what the
// workflow is given.
func TestEveryWorkflowHasAForm(t *testing.T) {
	sample := func(at any) (said string, want any) {
		switch at.(type) {
		case *bool:
			return "true", true
		case *int:
			return "7", 7
		case *string:
			return "some", "some"
		case *[]string:
			return "a, b", []string{"a", "b"}
		case *time.Duration:
			return "90s", 90 * time.Second
		case **int:
			return "7", 7
		case **time.Duration:
			return "90s", 90 * time.Second
		}
		t.Fatalf("no sample for a %T", at)
		return "", nil
	}
	for _, w := range workflow.All {
		s := newRequestScreen(onPaper(t, Terminal{}, text.English), "ha.yaml", w, []string{"worker-1"})
		for _, o := range w.Options {
			at := slices.IndexFunc(s.form.fields, func(f *field) bool { return s.tell(f.label) == o.Name })
			if at < 0 {
				t.Errorf("%s: nobody is asked for %s", w.Name, o.Name)
				continue
			}
			var none workflow.Request
			said, want := sample(o.Of(&none))
			s.form.fields[at].value = said
			q, err := s.request()
			got := reflect.ValueOf(o.Of(&q)).Elem()
			for got.Kind() == reflect.Pointer && !got.IsNil() {
				got = got.Elem()
			}
			if err != nil || !reflect.DeepEqual(got.Interface(), want) {
				t.Errorf("%s: %s is filled in as %q and comes as %v, %v", w.Name, o.Name, said, got, err)
			}
		}
		q, err := s.request()
		if wants := w.Args == workflow.Hosts || w.Args == workflow.SomeHosts; err != nil || wants && !slices.Equal(q.Hosts, []string{"worker-1"}) {
			t.Errorf("%s: the host that was chosen before is not: %v, %v", w.Name, q.Hosts, err)
		}
		if hasBundle := s.bundle != nil; hasBundle != w.Bundle {
			t.Errorf("%s: it asks for a bundle: %v, the workflow takes one: %v", w.Name, hasBundle, w.Bundle)
		}
	}
}

// TestOnlyTheHostsOwnSettingsNeedNoBundle: one that was found is not named in the command, which refuses both.
func TestOnlyTheHostsOwnSettingsNeedNoBundle(t *testing.T) {
	s := newRequestScreen(onPaper(t, Terminal{}, text.English), "ha.yaml", workflow.Prepare, nil)
	s.bundle.value = "found.tar"
	if command := s.command(); !strings.Contains(command, "--bundle found.tar") {
		t.Errorf("a prepare takes from the bundle: %s", command)
	}
	only := slices.IndexFunc(s.form.fields, func(f *field) bool { return s.tell(f.label) == workflow.HostsOnly })
	s.form.fields[only].flip()
	task, err := s.task()
	if command := s.command(); err != nil || task.bundle != "" || strings.Contains(command, "found.tar") || !strings.Contains(command, "--hosts-only") {
		t.Errorf("%v, bundle %q: %s", err, task.bundle, command)
	}
}

var sentence = regexp.MustCompile(`[A-Za-z]{3,} [a-z]{2,}`)

// TestEveryTextIsInTheCatalogue: what is said stands in package text, in all languages, and nowhere in the code. Errors
// are English, as those of the rooms below are.
func TestEveryTextIsInTheCatalogue(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, is := n.(*ast.CallExpr); is {
				if named, is := call.Fun.(*ast.SelectorExpr); is && (named.Sel.Name == "Errorf" || named.Sel.Name == "New") {
					return false
				}
			}
			literal, is := n.(*ast.BasicLit)
			if !is || literal.Kind != token.STRING {
				return true
			}
			if said, err := strconv.Unquote(literal.Value); err == nil && sentence.MatchString(said) && !strings.HasPrefix(said, "slipway ") { // a command is the same in all languages
				t.Errorf("%s: %q is in no catalogue", set.Position(literal.Pos()), said)
			}
			return true
		})
	}
}
