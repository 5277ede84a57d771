package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRunbookOfEveryAction reads as expected.
func TestRunbookOfEveryAction(t *testing.T) {
	book, err := RunbookOf(every())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "runbook.txt", book.Text())
}

// TestRescuesNameStepsAsTheRunbookNumbersThem: ids are nowhere in it.
func TestRescuesNameStepsAsTheRunbookNumbersThem(t *testing.T) {
	at := map[string]lineAt{"a": {1, 1}, "b": {2, 3}, "c": {2, 4}, "d": {2, 5}, "e": {3, 6}}
	for want, ids := range map[string][]string{
		"Done only if step 2.3 fails.":                                {"b"},
		"Done only if one of the steps 1.1 or 3.6 fails.":             {"e", "a"},
		"Done only if one of the steps 2.3 to 2.5 fails.":             {"b", "d", "c"},
		"Done only if one of the steps 1.1, 2.3 to 2.5 or 3.6 fails.": {"a", "b", "c", "d", "e"},
		"Done only if one of the steps 2.3 or 2.5 fails.":             {"b", "d"},
		"Done only if one of the steps 2.3 or 2.4 fails.":             {"c", "b"},
	} {
		if got := (Section{IfFails: ids}).begins(at); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestRunbookSaysWhatWaitsForWhat(t *testing.T) {
	step := func(id, host string, phase Phase, after ...Dependency) Step {
		return Step{ID: id, Host: host, Phase: phase, Lane: id, After: after}
	}
	p := Plan{Steps: []Step{
		step("a", "cp-1", "certs"),
		step("b", "cp-2", "certs"),
		step("c", "cp-1", "etcd", All("a")),
		step("d", "cp-1", "certs", All("c")), // the same place and phase, and not at the same time
		step("e", "", "wait", Any("a", "b")),
		step("f", "", "wait", All("d", "a")),
	}}
	book, err := RunbookOf(p)
	if err != nil {
		t.Fatal(err)
	}
	want := "cp-1/certs[a] cp-1/etcd[c]<[1] cp-1/certs[d]<[2] cp-2/certs[b] /wait[e f]<[3]|[[1 4]] "
	got := ""
	for _, section := range book.Sections {
		var ids []string
		for _, line := range section.Lines {
			ids = append(ids, line.Step)
		}
		got += fmt.Sprintf("%s/%s%v", section.Host, section.Phase, ids)
		if section.After != nil {
			got += fmt.Sprintf("<%v", section.After)
		}
		if section.OneOf != nil {
			got += fmt.Sprintf("|%v", section.OneOf)
		}
		got += " "
	}
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestRunbookCannotLie: whatever the plan is, each of its steps stands in the runbook once, after all that
// it waits for, and a section waits for each that its steps wait for, be it by way of others.
func TestRunbookCannotLie(t *testing.T) {
	for seed := range uint64(200) {
		p := madeUp(rand.New(rand.NewPCG(seed, 1)))
		book, err := RunbookOf(p)
		if err != nil {
			t.Fatal(err)
		}
		in, place := map[string]int{}, map[string]int{}
		for _, section := range book.Sections {
			for _, line := range section.Lines {
				if place[line.Step] != 0 {
					t.Fatalf("%d: step %s stands there twice", seed, line.Step)
				}
				in[line.Step], place[line.Step] = section.Number, len(place)+1
			}
		}
		if len(place) != len(p.Steps) {
			t.Fatalf("%d: %d steps of %d", seed, len(place), len(p.Steps))
		}
		for id, before := range Predecessors(p) {
			for _, one := range before {
				if place[one] > place[id] {
					t.Errorf("%d: %s stands before %s, for which it waits", seed, id, one)
				}
			}
		}
		for _, step := range p.Steps {
			for _, dependency := range step.After {
				for _, one := range dependency.Steps {
					if !dependency.Any && in[one] != in[step.ID] && !waitsFor(book, in[step.ID], in[one]) {
						t.Errorf("%d: section %d waits for %d, and does not say so", seed, in[step.ID], in[one])
					}
				}
			}
		}
	}
}

// waitsFor tells whether a section waits for another, be it by way of others.
func waitsFor(book Runbook, section, other int) bool {
	after := book.Sections[section-1].After
	return slices.Contains(after, other) || slices.ContainsFunc(after, func(between int) bool { return waitsFor(book, between, other) })
}

// madeUp is a plan of chance.
func madeUp(r *rand.Rand) Plan {
	var p Plan
	for i := range 30 {
		step := Step{
			ID: fmt.Sprint("s", i), Host: []string{"", "cp-1", "cp-2"}[r.IntN(3)], Phase: []Phase{"certs", "etcd", "wait"}[r.IntN(3)],
			Lane: []string{"work", "images"}[r.IntN(2)],
		}
		if i > 0 && r.IntN(2) == 0 {
			step.After = append(step.After, Dependency{Steps: []string{fmt.Sprint("s", r.IntN(i))}, Any: r.IntN(3) == 0})
		}
		p.Steps = append(p.Steps, step)
	}
	rescue := Step{ID: "back", Host: "cp-1", Phase: "etcd", Lane: "work", Rescues: []string{"s3", "s7"}}
	p.Steps = slices.Insert(p.Steps, 20, rescue)
	return p
}
