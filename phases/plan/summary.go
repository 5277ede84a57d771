package plan

import "slices"

// Counts is how much of each change there is.
type Counts struct {
	Create int `json:"create"`
	Update int `json:"update"`
	Remove int `json:"remove"`
	// Steps counts all steps, those that only wait or tidy as well, but for rescue steps.
	Steps int `json:"steps"`
	// Rescues counts the steps that run only if others fail. What they change is not counted.
	Rescues int `json:"rescues,omitempty"`
}

func (c *Counts) add(step Step) {
	if step.IsRescue() {
		c.Rescues++
		return
	}
	c.Steps++
	switch step.Change {
	case Create:
		c.Create++
	case Update:
		c.Update++
	case Remove:
		c.Remove++
	}
}

// Overview is a plan for showing: what is created, changed and removed, place by place.
type Overview struct {
	Workflow string  `json:"workflow"`
	Places   []Place `json:"places"`
	Counts   Counts  `json:"counts"`
}

// Place is one host's part of a plan, or the cluster's, whose Host is empty.
type Place struct {
	Host   string       `json:"host,omitempty"`
	Phases []PlacePhase `json:"phases"`
	// Rescues are the steps that run only if others fail, by what they rescue.
	Rescues []Rescue `json:"rescues,omitempty"`
	Counts  Counts   `json:"counts"`
}

// Rescue is one place's part of what is done if steps fail.
type Rescue struct {
	Of    []string `json:"of"` // ids
	Lines []Line   `json:"lines"`
}

// PlacePhase is one phase's part at one place.
type PlacePhase struct {
	Name  Phase  `json:"name"`
	Lines []Line `json:"lines"`
	end   int    // where its last step stands
}

// Line is one step.
type Line struct {
	Step   string `json:"step"`
	Change Change `json:"change,omitempty"`
	Text   string `json:"text"`
	Why    string `json:"why"`
}

// Summarise sorts a plan's steps by place, in the order in which the plan first names
// them, the cluster last; and by phase, in the order in which the phases end.
func Summarise(p Plan) Overview {
	summary := Overview{Workflow: p.Workflow}
	for _, step := range p.Steps {
		summary.Counts.add(step)
		place := summary.place(step.Host)
		place.Counts.add(step)
		line := Line{Step: step.ID, Change: step.Change, Text: Describe(step), Why: step.Why}
		if step.IsRescue() {
			rescue := place.rescue(step.Rescues)
			rescue.Lines = append(rescue.Lines, line)
			continue
		}
		phase := place.phase(step.Phase)
		phase.end = summary.Counts.Steps
		phase.Lines = append(phase.Lines, line)
	}
	slices.SortStableFunc(summary.Places, func(a, b Place) int {
		return last(a.Host == "") - last(b.Host == "")
	})
	for _, place := range summary.Places {
		slices.SortStableFunc(place.Phases, func(a, b PlacePhase) int { return a.end - b.end })
	}
	return summary
}

func last(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func (s *Overview) place(host string) *Place {
	for i := range s.Places {
		if s.Places[i].Host == host {
			return &s.Places[i]
		}
	}
	s.Places = append(s.Places, Place{Host: host})
	return &s.Places[len(s.Places)-1]
}

func (p *Place) phase(name Phase) *PlacePhase {
	for i := range p.Phases {
		if p.Phases[i].Name == name {
			return &p.Phases[i]
		}
	}
	p.Phases = append(p.Phases, PlacePhase{Name: name})
	return &p.Phases[len(p.Phases)-1]
}

func (p *Place) rescue(of []string) *Rescue {
	for i := range p.Rescues {
		if slices.Equal(p.Rescues[i].Of, of) {
			return &p.Rescues[i]
		}
	}
	p.Rescues = append(p.Rescues, Rescue{Of: of})
	return &p.Rescues[len(p.Rescues)-1]
}
