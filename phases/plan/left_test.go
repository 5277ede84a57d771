package plan

import (
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// TestTheTimeLeftIsTheLongestWay through what is left, by lanes and by what waits for what.
func TestTheTimeLeftIsTheLongestWay(t *testing.T) {
	step := func(id, host, lane string, after ...Dependency) Step {
		return Step{ID: id, Host: host, Lane: lane, After: after, Action: hosts.MakeDirectory{}}
	}
	rescue := step("back", "a", "back")
	rescue.Rescues = []string{"a2"}
	p := Plan{Steps: []Step{
		step("a1", "a", "work"), step("a2", "a", "work"), // a lane: 10 + 20
		step("b1", "b", "work"),                       // 40
		step("any", "c", "work", Any("a2", "b1")),     // after 30: 5
		step("all", "d", "work", All("a2", "any")),    // after 35: 7
		step("other", "a", "wait", All("a1")), rescue, // another lane of a: after 10: 1
		step("last", "d", "wait", All("all", "b1"), Any("other")), // after 42: 2
	}}
	takes := []time.Duration{10, 20, 40, 5, 7, 1, 1000, 2}
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	ago := func(seconds int) Stand { return Stand{Began: now.Add(-time.Duration(seconds) * time.Second)} }
	ended := Stand{Ended: true}
	for name, test := range map[string]struct {
		stands map[int]Stand
		want   time.Duration
	}{
		"nothing has begun":              {nil, 44},
		"one runs":                       {map[int]Stand{0: ago(4)}, 42}, // b1 and last by now
		"two run":                        {map[int]Stand{0: ago(4), 2: ago(20)}, 6 + 20 + 7 + 2},
		"one runs for longer":            {map[int]Stand{0: ago(400)}, 42},
		"the first of any has ended":     {map[int]Stand{0: ended, 2: ended}, 20 + 7 + 2},
		"one has ended that others need": {map[int]Stand{0: ended, 1: ended, 2: ended, 3: ended, 4: ended}, 1 + 2},
		"content is on its way":          {map[int]Stand{0: {More: 100 * time.Second}}, 100 + 10 + 20 + 7 + 2},
		"content comes while it waits":   {map[int]Stand{1: {More: 9 * time.Second}}, 44},
		"all have ended":                 {map[int]Stand{0: ended, 1: ended, 2: ended, 3: ended, 4: ended, 5: ended, 7: ended}, 0},
		"a clock that went back":         {map[int]Stand{2: ago(-50)}, 44},
	} {
		t.Run(name, func(t *testing.T) {
			course, err := NewCourse(p)
			if err != nil {
				t.Fatal(err)
			}
			got := course.Left(now, func(i int) Stand { return test.stands[i] }, func(i int) time.Duration { return takes[i] * time.Second })
			if got != test.want*time.Second {
				t.Errorf("%s, want %s", got, test.want*time.Second)
			}
		})
	}
}

func TestACourseNeedsStepsThatCanEnd(t *testing.T) {
	for name, after := range map[string][2]string{"a circle": {"b", "a"}, "nowhere": {"c", "c"}} {
		_, err := NewCourse(Plan{Steps: []Step{
			{ID: "a", Lane: "1", After: []Dependency{All(after[0])}}, {ID: "b", Lane: "2", After: []Dependency{All(after[1])}},
		}})
		if err == nil {
			t.Errorf("%s: there is a course", name)
		}
	}
}

// TestStepsOfAKindHaveOneKey, whatever the host.
func TestStepsOfAKindHaveOneKey(t *testing.T) {
	for _, test := range []struct {
		event Event
		want  string
	}{
		{Event{Step: "cp-1/certs/ca", Host: "cp-1", Subject: Subject{Host: "cp-1"}, Kind: "write-file"}, "certs/ca write-file"},
		{Event{Step: "etcd/etcd/data", Host: "etcd", Kind: "make-directory"}, "etcd/data make-directory"},
		{Event{Step: "cluster/upgrade/w-1/drain", Subject: Subject{Host: "w-1"}, Kind: "drain"}, "cluster/upgrade/drain drain"},
		{Event{Step: "cluster/etcd-join/cp-2/add", Subject: Subject{Member: "cp-2"}, Kind: "member-add"}, "cluster/etcd-join/add member-add"},
		{Event{Step: "cluster/addon/coredns/x", Kind: "apply"}, "cluster/addon/coredns/x apply"},
	} {
		if got := TimeKey(test.event); got != test.want {
			t.Errorf("%s: %q, want %q", test.event.Step, got, test.want)
		}
	}
	step := Step{ID: "cp-1/prepare/x", Host: "cp-1", Action: hosts.MakeDirectory{}}
	if got, want := TimeKeyOf(step), "prepare/x "+Kind(step); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
