package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Change is what a step does to what is there.
type Change struct {
	Step string `json:"step"`
	// Deed says what the step does, and Why it is needed.
	Deed string `json:"deed"`
	Why  string `json:"why,omitempty"`
	// Before is the file or the object, as YAML, that is there now, and After the one that will be; nil
	// where there is none, and where the step writes neither. Of an object they have the fields that Slipway
	// applies. Both are escaped by hosts.Escape, since a host or an API server may have written them.
	Before *string `json:"before,omitempty"`
	After  *string `json:"after,omitempty"`
	// Lines are the difference of the two.
	Lines []DiffLine `json:"lines,omitempty"`
	// Secret tells that the content is secret: neither text is given.
	Secret bool `json:"secret,omitempty"`
	// Note says why a text is not given, or what holds besides: "no API server answers".
	Note string `json:"note,omitempty"`
}

// Difference holds what a step of a plan would write against what is there now: a file on its host,
// or an object of the API. Of a step that writes neither it says what is done. It looks there, and
// changes nothing.
//
// A front end may call it while Run waits for the answer to its question, and later, from any goroutine: it
// uses nothing of the session that a run changes, only what the plan was given (see ways).
//
// It is an error that there is no such step, and that its host or the API does not answer.
func (*Session) Difference(ctx context.Context, ready Prepared, stepID string) (Change, error) {
	at := slices.IndexFunc(ready.Plan.Steps, func(step plan.Step) bool { return step.ID == stepID })
	if at < 0 {
		return Change{}, fmt.Errorf("compare what %s would write: the plan has no such step", stepID)
	}
	step := ready.Plan.Steps[at]
	change := Change{Step: step.ID, Deed: plan.Describe(step), Why: step.Why}
	var err error
	if file, is := step.Action.(hosts.WriteFile); is {
		err = change.ofFile(ctx, ready, step.Host, file)
	} else if applied, is := step.Cluster.(plan.Apply); is {
		err = change.ofObject(ctx, ready, applied)
	}
	if err != nil {
		return Change{}, fmt.Errorf("compare what %s would write: %w", stepID, err)
	}
	return change, nil
}

func (c *Change) ofFile(ctx context.Context, ready Prepared, name string, file hosts.WriteFile) error {
	content, known := ready.Contents[file.Content]
	switch {
	case file.Secret || isSecret(file.Content):
		c.Secret = true
		return nil
	case file.Kept != "":
		c.Note = "the content is that of before an upgrade, which the host has kept"
		return nil
	case !known:
		c.Note = "the content is the bundle's"
		return nil
	}
	host, up := ready.ways.hosts[name]
	if !up {
		return fmt.Errorf("read %s on %s: the host is not connected", file.Path, name)
	}
	facts, err := host.Observe(ctx, hosts.Query{Contents: []string{file.Path}})
	if err != nil {
		return fmt.Errorf("read %s on %s: %w", file.Path, name, err)
	}
	for _, silent := range facts.Unanswered {
		return fmt.Errorf("read %s on %s: %s", file.Path, name, hosts.CleanLine(silent.String()))
	}
	was, there := facts.Contents[file.Path]
	if !isText(was) || !isText(content) {
		c.Note = "it is not text"
		return nil
	}
	if there {
		c.Before = new(hosts.Escape(string(was)))
	}
	c.After = new(hosts.Escape(string(content)))
	c.compare()
	return nil
}

func (c *Change) ofObject(ctx context.Context, ready Prepared, applied plan.Apply) error {
	if applied.Secret || applied.Object.Kind == "Secret" || isSecret(applied.Content) {
		c.Secret = true
		return nil
	}
	content, known := ready.Contents[applied.Content]
	if !known {
		return fmt.Errorf("the content of %s is not known", applied.Object)
	}
	want, err := decodeJSON(content)
	if err != nil {
		return fmt.Errorf("decode %s: %w", applied.Object, err)
	}
	live, err := c.live(ctx, ready, applied.Object)
	if err != nil {
		return err
	}
	after, err := inYAML(want)
	if err != nil {
		return fmt.Errorf("write %s as YAML: %w", applied.Object, err)
	}
	if live != nil {
		before, err := inYAML(reduced(live, want))
		if err != nil {
			return fmt.Errorf("write the live %s as YAML: %w", applied.Object, err)
		}
		c.Before = &before
		if applied.Seed {
			after, c.Note = before, "it is there, and stays as it is"
		}
	}
	c.After = &after
	c.compare()
	return nil
}

// live is an object that is there; nil where there is none, or nobody to ask.
func (c *Change) live(ctx context.Context, ready Prepared, key hosts.ObjectKey) (any, error) {
	if ready.ways.silent || ready.ways.api == nil {
		c.Note = "no API server answered when the plan was made: what is there is not known"
		return nil, nil
	}
	text, err := ready.ways.api.Object(ctx, key)
	if err != nil || text == nil {
		return nil, err
	}
	live, err := decodeJSON(text)
	if err != nil {
		return nil, fmt.Errorf("decode the live %s: %w", key, err)
	}
	return live, nil
}

func (c *Change) compare() {
	was := ""
	if c.Before != nil {
		was = *c.Before
	}
	c.Lines = DiffLines([]byte(was), []byte(*c.After))
}

func isSecret(ref string) bool { return strings.HasPrefix(ref, "secret:") }

func isText(content []byte) bool {
	return utf8.Valid(content) && bytes.IndexByte(content, 0) < 0
}

func decodeJSON(text []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

func inYAML(value any) (string, error) {
	text, err := yaml.Marshal(value)
	return hosts.Escape(string(text)), err
}

// reduced is what a live value has of the fields that another one has. Items of a list belong together
// by their names, or else by their place; further ones are there in full.
func reduced(live, want any) any {
	switch want := want.(type) {
	case map[string]any:
		found, is := live.(map[string]any)
		if !is {
			return live
		}
		made := map[string]any{}
		for key, wanted := range want {
			if value, there := found[key]; there {
				made[key] = reduced(value, wanted)
			}
		}
		return made
	case []any:
		found, is := live.([]any)
		if !is {
			return live
		}
		return reducedItems(found, want)
	}
	return live
}

func reducedItems(live, want []any) []any {
	made := []any{}
	for i, item := range live {
		name := nameOf(item)
		at := slices.IndexFunc(want, func(wanted any) bool { return name != "" && nameOf(wanted) == name })
		switch {
		case at >= 0:
			made = append(made, reduced(item, want[at]))
		case name == "" && i < len(want):
			made = append(made, reduced(item, want[i]))
		default:
			made = append(made, item)
		}
	}
	return made
}

func nameOf(item any) string {
	fields, _ := item.(map[string]any)
	name, _ := fields["name"].(string)
	return name
}
