package cluster

import (
	"cmp"
	_ "embed"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Load reads a Cluster file: it parses, completes and validates it. The error is a
// *SyntaxError where the file is not YAML, and an *Invalid with every problem where it
// is YAML but no usable cluster.
func Load(data []byte) (*Cluster, error) { return LoadFor(data, DefaultKubernetesVersion) }

// LoadFor is Load where a file that names no Kubernetes version means the one given: that of
// the bundle.
func LoadFor(data []byte, kubernetes string) (*Cluster, error) {
	found, err := documents(data)
	if err != nil {
		return nil, err
	}
	d := newDecoder()
	trees := d.resolve(found)
	if d.tooLarge {
		return nil, &Invalid{d.problems}
	}
	c := d.assemble(trees)
	if c == nil {
		return nil, &Invalid{d.sorted(nil)}
	}
	c.complete(kubernetes)
	if problems := d.sorted(findings(c)); len(problems) > 0 {
		return nil, &Invalid{problems}
	}
	return c, nil
}

func (d *decoder) resolve(found []*yaml.Node) []*node {
	r := resolver{report: d.report}
	var trees []*node
	for _, document := range found {
		trees = append(trees, r.resolve(document, "", 0))
	}
	if r.tooLarge {
		d.tooLarge = true
		d.report(Problem{Message: "the file is too large or too deep once its aliases are followed"})
	}
	return trees
}

// assemble reads the file's documents: the Cluster, then components' configurations.
func (d *decoder) assemble(trees []*node) *Cluster {
	if len(trees) == 0 {
		d.report(Problem{Message: "the file is empty", Fix: "slipway config print shows one to start from"})
		return nil
	}
	if !d.isCluster(trees[0]) {
		return nil
	}
	return d.cluster(trees)
}

// cluster reads the documents of a file that begins with a Cluster; of none, nothing.
func (d *decoder) cluster(trees []*node) *Cluster {
	c := new(Cluster)
	for i, tree := range trees {
		if i == 0 {
			d.decode(tree, reflect.ValueOf(c).Elem(), "")
		} else {
			d.component(tree, c)
		}
	}
	return c
}

// isCluster looks at apiVersion and kind first: the fields of another kind of file are not
// worth checking.
func (d *decoder) isCluster(tree *node) bool {
	if tree.tag != "!!map" {
		d.report(Problem{Line: tree.line, Message: "the file is " + tree.describe() + " where a mapping is wanted",
			Fix: "begin it with apiVersion: " + APIVersion})
		return false
	}
	version, kind := tree.textOf("apiVersion"), tree.textOf("kind")
	if version == APIVersion && kind == Kind {
		return true
	}
	problem := Problem{Path: "kind", Line: tree.line, Message: "the first document is " + identity(version, kind),
		Fix: "begin the file with apiVersion: " + APIVersion + " and kind: " + Kind}
	switch {
	case kind == Kind && strings.HasPrefix(version, "slipway.dev/"):
		problem.Path, problem.Message = "apiVersion", version+" is a version that this Slipway does not know"
		problem.Fix = "write " + APIVersion
	case kind == Kind && version == "":
		problem.Path, problem.Message, problem.Fix = "apiVersion", "is missing", "write apiVersion: "+APIVersion
	case strings.HasPrefix(version, "kubeadm.k8s.io/"):
		problem.Fix = "kubeadm's files are not read; " + problem.Fix
	}
	d.report(problem)
	return false
}

func identity(version, kind string) string {
	if version == "" && kind == "" {
		return "without apiVersion and kind"
	}
	return strings.TrimSpace("a " + cmp.Or(kind, "(no kind)") + " of " + cmp.Or(version, "no apiVersion"))
}

// textOf gives a field's text, or nothing.
func (n *node) textOf(name string) string {
	if field := n.field(name); field != nil && field.tag == "!!str" {
		return field.text
	}
	return ""
}

// sorted joins what the decoder found with what validation found, without what follows
// only from an unreadable value, in the order of the file.
func (d *decoder) sorted(validated []*finding) []Problem {
	all := slices.Clone(d.problems)
	for _, found := range validated {
		if d.restsOnUnreadable(found) {
			continue
		}
		problem := found.Problem
		if written, ok := d.written[problem.Path]; ok {
			problem.Path = written
		}
		problem.Message = d.asWritten(problem.Message)
		problem.Line = d.line(problem.Path)
		all = append(all, problem)
	}
	slices.SortStableFunc(all, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return all
}

// asWritten names, in a message, one-element forms as the file has them.
func (d *decoder) asWritten(message string) string {
	for path, written := range d.written {
		if strings.HasSuffix(path, "]") {
			message = strings.ReplaceAll(message, path, written)
		}
	}
	return message
}

// restsOnUnreadable tells whether a finding is at or below a value that could not be read, or was
// concluded from one.
func (d *decoder) restsOnUnreadable(found *finding) bool {
	return slices.ContainsFunc(d.unreadable, func(unreadable string) bool {
		name, _, _ := strings.Cut(lastName(unreadable), "[")
		return covers(unreadable, found.Path) || slices.Contains(found.from, name)
	})
}

func covers(outer, inner string) bool {
	rest, found := strings.CutPrefix(inner, outer)
	return found && (rest == "" || rest[0] == '.' || rest[0] == '[' || outer == "")
}

// line gives the line of a path, or of the nearest thing around it that the file has.
func (d *decoder) line(path string) int {
	for path != "" {
		if line, ok := d.lines[path]; ok {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return d.lines[""]
}

//go:embed schema.json
var schemaFile []byte

// Schema is the JSON schema (draft 07) of Cluster files, for editors. It says what a
// file looks like; what must fit together, only Load knows.
func Schema() []byte { return slices.Clone(schemaFile) }

//go:embed example.yaml
var example []byte

// Example is a Cluster file to start from: every default spelled out and explained.
func Example() []byte { return slices.Clone(example) }
