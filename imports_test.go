// Package slipway_test holds the whole tree to the arrows of ARCHITECTURE.md.
package slipway_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/slipway-k8s/slipway/"

// edges lists, for every room, the rooms that it may import. A room may always import
// those below itself that it lists; what of cmd is not listed may import all.
var edges = map[string][]string{
	"cluster":           {},
	"templates":         {},
	"hosts":             {},
	"certs":             {"cluster"},
	"bundle":            {"cluster"},
	"certs/mint":        {"certs"},
	"certs/store":       {"certs"},
	"bundle/archive":    {"bundle"},
	"bundle/build":      {"bundle", "bundle/archive"},
	"cmd/slipway-agent": {"hosts", "hosts/agent", "hosts/local"},
	// No way of its own to the hosts: of phases/engine/api it has the results of smoke.
	"cmd/slipway/tui":          {"cmd/slipway/tui/text", "cmd/slipway/tui/quiet", "workflow", "phases/engine/api", "phases/checks", "phases/forecast", "phases/plan", "bundle", "cluster", "hosts"},
	"cmd/slipway/tui/quiet":    {},
	"cmd/slipway/tui/text":     {},
	"cmd/slipway/tui/terminal": {},
	"hosts/agent":              {"hosts"},
	"hosts/local":              {"hosts"},
	"hosts/ssh":                {"hosts", "hosts/agent"},
	"hosts/hosttest":           {"hosts", "hosts/agent"},
	"hosts/hosttest/slowline":  {},
	"hosts/conformance":        {"hosts", "hosts/agent", "hosts/local", "hosts/ssh", "hosts/hosttest"}, // tests alone
	"manifests":                {"cluster", "certs", "hosts", "bundle", "templates", "phases/plan"},    // of plan, the phases' names
	"phases/plan":              {"hosts"},
	"phases/forecast":          {"phases/plan"},
	"phases/view":              {"phases/forecast", "phases/plan", "manifests", "cluster", "certs", "hosts", "bundle"},
	"phases/checks":            {"phases/forecast", "phases/view", "phases/plan", "manifests", "cluster", "certs", "hosts", "bundle"},
	"phases":                   {"phases/checks", "phases/forecast", "phases/view", "phases/plan", "manifests", "cluster", "certs", "hosts", "bundle"},
	"phases/engine":            {"phases/checks", "phases/plan", "hosts"},
	"phases/engine/api":        {"phases/forecast", "phases/plan", "hosts", "templates"},
	"images":                   {"bundle", "hosts"},
	"workflow": {
		"cluster", "certs", "certs/mint", "certs/store", "hosts", "hosts/ssh", "bundle", "bundle/archive",
		"images", "manifests", "phases", "phases/checks", "phases/forecast", "phases/view", "phases/plan", "phases/engine", "phases/engine/api",
	},
	"lab":            {"cluster"},
	"e2e":            {"e2e/acks", "cmd/slipway/tui/terminal"},
	"e2e/acks":       {},
	"e2e/app":        {},
	"e2e/router":     {},
	"e2e/record":     {"cmd/slipway/tui/terminal"},
	"e2e/report":     {},
	"e2e/slowline":   {"hosts/hosttest/slowline"},
	"e2e/stuckfs":    {},
	"e2e/writer":     {"e2e/acks"},
	"e2e/bench":      {"e2e/acks"},
	"e2e/bench/poll": {},
}

// testEdges are what tests may import on top: fakes and the makers of real material.
var testEdges = []string{"cluster", "hosts/hosttest", "hosts/hosttest/slowline", "certs/mint", "hosts", "hosts/agent"}

// pure rooms compute; they touch no file, network, clock or chance.
var pure = []string{"cluster", "templates", "certs", "bundle", "manifests", "phases", "phases/plan", "phases/view", "phases/checks", "phases/forecast"}

// impure are the packages, and the calls, that a pure room may not use.
var (
	impurePackages = []string{"os", "os/exec", "net", "net/http", "math/rand", "math/rand/v2", "crypto/rand"}
	impureCalls    = []string{"time.Now", "time.Sleep", "time.Since", "time.Until", "time.After"}
)

// standard are the streams of a process: what is shown, and asked, is the front ends'.
var standard = []string{"os.Stdin", "os.Stdout", "os.Stderr", "fmt.Print", "fmt.Printf", "fmt.Println"}

// owned are libraries that only the rooms named may use.
var owned = map[string][]string{
	"github.com/spf13/cobra":                 {"cmd/slipway"},
	"github.com/charmbracelet/":              {"cmd/slipway/tui", "cmd/slipway/tui/terminal"},
	"github.com/cloudflare/cfssl":            {"certs/mint"},
	"golang.org/x/crypto/ssh":                {"hosts/ssh", "hosts/hosttest", "lab"},
	"github.com/pkg/sftp":                    {"hosts/ssh", "hosts/hosttest"},
	"github.com/coreos/go-systemd":           {"hosts/local"},
	"github.com/containerd/containerd":       {"hosts/local"},
	"github.com/moby/sys/mountinfo":          {"hosts/local"},
	"k8s.io/client-go":                       {"phases/engine/api", "e2e/writer"},
	"k8s.io/kubectl":                         {"phases/engine/api", "cmd/slipway"},
	"go.etcd.io/etcd":                        {"phases/engine/api"},
	"github.com/google/go-containerregistry": {"bundle/archive", "bundle/build", "images", "e2e"},
	"github.com/distribution/reference":      {"images", "hosts"},
}

type source struct {
	room    string
	path    string
	test    bool
	imports []string
	calls   []string
}

func TestImportsFollowTheArrows(t *testing.T) {
	for _, s := range sources(t) {
		allowed, known := edges[s.room]
		if !known && !strings.HasPrefix(s.room, "cmd/") {
			t.Errorf("%s: no room is called %s: ARCHITECTURE.md has the list of rooms", s.path, s.room)
			continue
		}
		for _, imported := range s.imports {
			room, ours := strings.CutPrefix(imported, module)
			if !ours || room == s.room || !known || slices.Contains(allowed, room) {
				continue
			}
			if s.test && slices.Contains(testEdges, room) {
				continue
			}
			t.Errorf("%s: %s must not import %s", s.path, s.room, room)
		}
	}
}

func TestPureRoomsStayPure(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !slices.Contains(pure, s.room) {
			continue
		}
		for _, imported := range s.imports {
			if slices.Contains(impurePackages, imported) {
				t.Errorf("%s: %s is pure and must not import %s", s.path, s.room, imported)
			}
		}
		for _, call := range s.calls {
			if slices.Contains(impureCalls, call) {
				t.Errorf("%s: %s is pure and must not call %s", s.path, s.room, call)
			}
		}
	}
}

func TestTheWorkflowsSpeakToFrontEndsOnly(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.room != "workflow" {
			continue
		}
		for _, call := range s.calls {
			if slices.Contains(standard, call) {
				t.Errorf("%s: %s must not use %s: a front end shows and asks", s.path, s.room, call)
			}
		}
	}
}

func TestLibrariesHaveOneHome(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			for library, homes := range owned {
				if !strings.HasPrefix(imported, library) || s.test || slices.Contains(homes, s.room) {
					continue
				}
				t.Errorf("%s: %s is at home in %s, not in %s", s.path, imported, strings.Join(homes, ", "), s.room)
			}
		}
	}
}

// sources reads every Go file of this module; the components of the bundle are modules
// of their own.
func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (path == "bundle/components" || entry.Name() == "testdata" || (path != "." && strings.HasPrefix(entry.Name(), "."))) {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".go" || filepath.Dir(path) == "." {
			return nil
		}
		s, err := read(path)
		found = append(found, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("no Go files found")
	}
	return found
}

func read(path string) (source, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return source{}, err
	}
	s := source{room: filepath.ToSlash(filepath.Dir(path)), path: path, test: strings.HasSuffix(path, "_test.go")}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, err
		}
		s.imports = append(s.imports, imported)
	}
	s.calls = calls(file)
	return s, nil
}
