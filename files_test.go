package slipway_test

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layered are the packages whose files use each other one way, as floors of a house do.
var layered = []string{"phases", "phases/plan", "phases/view", "phases/checks", "phases/forecast", "phases/engine", "phases/engine/api", "workflow", "cmd/slipway", "cmd/slipway/tui"}

func TestFilesUseEachOtherOneWay(t *testing.T) {
	for _, folder := range layered {
		uses := fileUses(t, folder)
		for _, circle := range circles(uses) {
			t.Errorf("%s: these files use each other in a circle:\n%s", folder, uses.among(circle))
		}
	}
}

// fileGraph holds, for a file and another, what the one uses of the other.
type fileGraph map[string]map[string]map[string]bool

// fileUses looks up where what a package's files name is defined. What they name of other
// packages does not count, so nothing of those is read.
func fileUses(t *testing.T, folder string) fileGraph {
	t.Helper()
	listed, err := build.ImportDir(folder, 0)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range listed.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(folder, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	forgiving := types.Config{Importer: empty{}, Error: func(error) {}}
	own, _ := forgiving.Check(folder, fset, files, info)
	graph := fileGraph{}
	for _, name := range listed.GoFiles {
		graph[name] = map[string]map[string]bool{}
	}
	at := func(pos token.Pos) string { return filepath.Base(fset.Position(pos).Filename) }
	for ident, object := range info.Uses {
		from, to := at(ident.Pos()), at(object.Pos())
		if object.Pkg() != own || from == to || !shared(object, own) {
			continue
		}
		if graph[from][to] == nil {
			graph[from][to] = map[string]bool{}
		}
		graph[from][to][object.Name()] = true
	}
	return graph
}

// shared tells whether other files can name an object: it is the package's, a method or a field.
func shared(object types.Object, own *types.Package) bool {
	if object.Parent() == own.Scope() {
		return true
	}
	switch object := object.(type) {
	case *types.Var:
		return object.IsField()
	case *types.Func:
		return object.Signature().Recv() != nil
	}
	return false
}

// empty imports every package as one with nothing in it.
type empty struct{}

func (empty) Import(from string) (*types.Package, error) {
	pkg := types.NewPackage(from, path.Base(from))
	pkg.MarkComplete()
	return pkg, nil
}

// circles lists the groups of files that all use each other, be it by way of others.
func circles(graph fileGraph) [][]string {
	var found [][]string
	grouped := map[string]bool{}
	for _, file := range slices.Sorted(maps.Keys(graph)) {
		if grouped[file] {
			continue
		}
		group := []string{file}
		for _, other := range slices.Sorted(maps.Keys(graph)) {
			if other != file && graph.reaches(file, other) && graph.reaches(other, file) {
				group = append(group, other)
				grouped[other] = true
			}
		}
		if len(group) > 1 {
			found = append(found, group)
		}
	}
	return found
}

func (g fileGraph) reaches(from, to string) bool {
	seen := map[string]bool{from: true}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for next := range g[queue[0]] {
			if next == to {
				return true
			}
			if !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	return false
}

// among writes what files of a group use of each other.
func (g fileGraph) among(group []string) string {
	var b strings.Builder
	for _, from := range group {
		for _, to := range group {
			if names := slices.Sorted(maps.Keys(g[from][to])); len(names) > 0 {
				fmt.Fprintf(&b, "  %s uses of %s: %s\n", from, to, strings.Join(names, ", "))
			}
		}
	}
	return b.String()
}
