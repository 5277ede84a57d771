package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// Runbook is a plan as prose: sections in an order in which everything can be done, each with the
// sections that have to be done before. It has nothing that is not in the plan.
type Runbook struct {
	Workflow string    `json:"workflow"`
	Warnings []string  `json:"warnings,omitempty"`
	Sections []Section `json:"sections"`
	Counts   Counts    `json:"counts"`
}

// Section is what is done at one place in one phase, with nothing else in between.
type Section struct {
	Number int    `json:"number"`
	Host   string `json:"host,omitempty"` // empty: the cluster
	Phase  Phase  `json:"phase"`
	// After are the sections that steps of this one wait for; what those wait for themselves is not
	// repeated. OneOf are sets, of each of which they wait for the first.
	After []int   `json:"after,omitempty"`
	OneOf [][]int `json:"oneOf,omitempty"`
	// IfFails are the steps, by id, of which one has to fail for this section to be done at all.
	IfFails []string `json:"ifFails,omitempty"`
	Lines   []Line   `json:"lines"`
}

// RunbookOf makes the runbook of a plan. It fails where steps wait for each other.
func RunbookOf(p Plan) (Runbook, error) {
	order, err := sectioned(p)
	if err != nil {
		return Runbook{}, err
	}
	book := Runbook{Workflow: p.Workflow, Warnings: p.Warnings, Sections: []Section{}}
	in := map[string]int{} // the section of a step
	for _, step := range order {
		at := len(book.Sections) - 1
		if at < 0 || !book.Sections[at].holds(step) {
			book.Sections = append(book.Sections, Section{Number: at + 2, Host: step.Host, Phase: step.Phase, IfFails: step.Rescues})
			at++
		}
		section := &book.Sections[at]
		section.Lines = append(section.Lines, Line{Step: step.ID, Change: step.Change, Text: Describe(step), Why: step.Why})
		in[step.ID] = section.Number
		book.Counts.add(step)
	}
	book.waits(p, in)
	return book, nil
}

// holds tells whether a step belongs to the section.
func (s Section) holds(step Step) bool {
	return s.Host == step.Host && s.Phase == step.Phase && slices.Equal(s.IfFails, step.Rescues)
}

// sectioned orders steps so that those of one place and phase stand together as long as nothing
// else has to be done first. Rescue steps come last.
func sectioned(p Plan) ([]Step, error) {
	if _, err := Order(p); err != nil {
		return nil, err
	}
	before, done := Predecessors(p), map[string]bool{}
	var order []Step
	ready := func(fits func(Step) bool) bool {
		at := slices.IndexFunc(p.Steps, func(step Step) bool { return !done[step.ID] && fits(step) && all(before[step.ID], done) })
		if at >= 0 {
			order = append(order, p.Steps[at])
			done[p.Steps[at].ID] = true
		}
		return at >= 0
	}
	for len(order) < len(p.Steps) {
		last := Step{}
		if n := len(order); n > 0 {
			last = order[n-1]
		}
		section := Section{Host: last.Host, Phase: last.Phase, IfFails: last.Rescues}
		switch {
		case ready(section.holds):
		case ready(func(step Step) bool { return step.Host == last.Host && !step.IsRescue() }):
		case ready(func(step Step) bool { return !step.IsRescue() }):
		default:
			ready(func(Step) bool { return true })
		}
	}
	return order, nil
}

// waits notes for each section which others its steps wait for.
func (b *Runbook) waits(p Plan, in map[string]int) {
	last := map[Lane]string{}
	all := make([]map[int]bool, len(b.Sections)+1) // of a section, those before it
	for i := range all {
		all[i] = map[int]bool{}
	}
	for _, step := range p.Steps {
		own, at := in[step.ID], LaneOf(step)
		if previous, ok := last[at]; ok && in[previous] != own {
			all[own][in[previous]] = true
		}
		last[at] = step.ID
		for _, dependency := range step.After {
			b.waitsFor(own, dependency, in, all[own])
		}
	}
	reached := make([]map[int]bool, len(all)) // with what these wait for
	for n := 1; n < len(all); n++ {
		reached[n] = map[int]bool{}
		for one := range all[n] {
			reached[n][one] = true
			for further := range reached[one] {
				reached[n][further] = true
			}
		}
		for one := range all[n] {
			if !slices.ContainsFunc(keysOf(all[n]), func(other int) bool { return reached[other][one] }) {
				b.Sections[n-1].After = append(b.Sections[n-1].After, one)
			}
		}
		slices.Sort(b.Sections[n-1].After)
	}
}

func (b *Runbook) waitsFor(own int, dependency Dependency, in map[string]int, all map[int]bool) {
	var sections []int
	for _, id := range dependency.Steps {
		sections = append(sections, in[id])
	}
	slices.Sort(sections)
	sections = slices.Compact(sections)
	switch {
	case !dependency.Any || len(sections) == 1:
		for _, one := range sections {
			if one != own {
				all[one] = true
			}
		}
	case !slices.Contains(sections, own):
		of := &b.Sections[own-1]
		if !slices.ContainsFunc(of.OneOf, func(known []int) bool { return slices.Equal(known, sections) }) {
			of.OneOf = append(of.OneOf, sections)
		}
	}
}

func keysOf(set map[int]bool) []int {
	var keys []int
	for key := range set {
		keys = append(keys, key)
	}
	return keys
}

// Text writes a runbook for people: a numbered section for each place and phase, what it waits for, and
// its steps with their reasons.
func (b Runbook) Text() string {
	var out strings.Builder
	for _, warning := range b.Warnings {
		fmt.Fprintf(&out, "Note: %s.\n\n", warning)
	}
	if len(b.Sections) == 0 {
		out.WriteString(nothing)
		return out.String()
	}
	fmt.Fprintf(&out, "%s. Sections that do not wait for each other are done at the same time.\n", b.extent())
	at := b.lines()
	for _, section := range b.Sections {
		fmt.Fprintf(&out, "\n## %d. %s: %s\n%s\n", section.Number, Place{Host: section.Host}.name(), section.Phase, section.begins(at))
		for i, line := range section.Lines {
			fmt.Fprintf(&out, "%d.%d %s", section.Number, i+1, line.Text)
			if line.Why != "" {
				fmt.Fprintf(&out, "; why: %s", line.Why)
			}
			out.WriteString("\n")
		}
	}
	return out.String()
}

// extent says how many steps there are, in how many sections.
func (b Runbook) extent() string {
	usual := 0
	for _, section := range b.Sections {
		if len(section.IfFails) == 0 {
			usual++
		}
	}
	text := hosts.Count(b.Counts.Steps, "step") + " in " + hosts.Count(usual, "section")
	if more := len(b.Sections) - usual; more > 0 {
		text += fmt.Sprintf(", and %d more in %s, done only if a step fails", b.Counts.Rescues, hosts.Count(more, "section"))
	}
	return text
}

// lineAt is where a step stands: the number of its section, and of its line there.
type lineAt struct{ section, line int }

func (l lineAt) String() string { return fmt.Sprintf("%d.%d", l.section, l.line) }

// lines are where steps stand, by id.
func (b Runbook) lines() map[string]lineAt {
	at := map[string]lineAt{}
	for _, section := range b.Sections {
		for i, line := range section.Lines {
			at[line.Step] = lineAt{section.Number, i + 1}
		}
	}
	return at
}

// steps names steps by their numbers, those that follow each other in one section from the first to the last:
// 1.1, 2.3 to 2.9 or 4.1.
func steps(ids []string, at map[string]lineAt) string {
	var all []lineAt
	for _, id := range ids {
		all = append(all, at[id])
	}
	slices.SortFunc(all, func(a, b lineAt) int { return cmp.Or(a.section-b.section, a.line-b.line) })
	var parts []string
	for i := 0; i < len(all); {
		end := i
		for end+1 < len(all) && all[end+1] == (lineAt{all[end].section, all[end].line + 1}) {
			end++
		}
		if end < i+2 { // one or two are named
			end = i
			parts = append(parts, all[i].String())
		} else {
			parts = append(parts, all[i].String()+" to "+all[end].String())
		}
		i = end + 1
	}
	return listed(parts, "or")
}

// begins says what a section's steps wait for.
func (s Section) begins(at map[string]lineAt) string {
	switch len(s.IfFails) {
	case 0:
	case 1:
		return "Done only if step " + steps(s.IfFails, at) + " fails."
	default:
		return "Done only if one of the steps " + steps(s.IfFails, at) + " fails."
	}
	var waits []string
	if len(s.After) > 0 {
		waits = append(waits, numbers(s.After, "and"))
	}
	for _, set := range s.OneOf {
		waits = append(waits, "one of "+numbers(set, "or"))
	}
	if len(waits) == 0 {
		return "It waits for no other section."
	}
	return "It waits for " + strings.Join(waits, ", and for ") + "."
}

// numbers lists sections: 1, 2 and 3.
func numbers(list []int, word string) string {
	var texts []string
	for _, one := range list {
		texts = append(texts, fmt.Sprint(one))
	}
	return listed(texts, word)
}

func listed(texts []string, word string) string {
	if n := len(texts); n > 1 {
		return strings.Join(texts[:n-1], ", ") + " " + word + " " + texts[n-1]
	}
	return strings.Join(texts, "")
}
