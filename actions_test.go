package slipway_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryActionIsRegisteredAndCarriedOut: a closed set is the types of a room that describe
// themselves. Each must be one that can be decoded, and one that every executor has a case for.
func TestEveryActionIsRegisteredAndCarriedOut(t *testing.T) {
	for room, executors := range map[string][]string{
		"hosts":       {"hosts/local/local.go", "hosts/hosttest/fake.go"},
		"phases/plan": {"phases/engine/api/do.go", "phases/world_*_test.go"},
	} {
		described, registered := declared(t, room)
		if len(described) == 0 || !slices.Equal(described, registered) {
			t.Errorf("%s: %v describe themselves, %v are registered", room, described, registered)
		}
		for _, executor := range executors {
			missing(t, described, executor)
		}
	}
}

// declared lists a room's types that have the method describe, and those given to register.
func declared(t *testing.T, room string) (described, registered []string) {
	t.Helper()
	for _, path := range glob(t, room+"/*.go") {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		ast.Inspect(parse(t, path), func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.FuncDecl:
				if node.Recv != nil && node.Name.Name == "describe" {
					described = append(described, fmt.Sprint(node.Recv.List[0].Type))
				}
			case *ast.CallExpr:
				if fmt.Sprint(node.Fun) == "register" {
					for _, zero := range node.Args {
						registered = append(registered, fmt.Sprint(zero.(*ast.CompositeLit).Type))
					}
				}
			}
			return true
		})
	}
	slices.Sort(described)
	slices.Sort(registered)
	return described, registered
}

// missing complains of every action that no case of the executor's files names.
func missing(t *testing.T, actions []string, executor string) {
	t.Helper()
	cases := map[string]bool{}
	for _, path := range glob(t, executor) {
		ast.Inspect(parse(t, path), func(node ast.Node) bool {
			if clause, ok := node.(*ast.CaseClause); ok {
				for _, expression := range clause.List {
					if selector, ok := expression.(*ast.SelectorExpr); ok {
						cases[selector.Sel.Name] = true
					}
				}
			}
			return true
		})
	}
	for _, action := range actions {
		if !cases[action] {
			t.Errorf("%s: no case for %s", executor, action)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file
}
