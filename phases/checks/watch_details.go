package checks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// status says how a wait stands: what moves, or since when nothing does.
func (w *Watch) status(look Look, still, idle time.Duration, details string) string {
	const lately = 30 * time.Second
	switch {
	case w.patience.Quiet == 0 || still < lately:
		return details
	case w.silent:
		return fmt.Sprintf("for %s no host has told how it is: %s", plan.Spent(look.After-w.answered), details)
	case idle < lately:
		return fmt.Sprintf("at work, with nothing new for %s: %s", plan.Spent(still), details)
	}
	return fmt.Sprintf("nothing has moved for %s: %s", plan.Spent(idle), details)
}

// shownThings is how many things a status names.
const shownThings = 3

// details describe what is waited for, what is in trouble or young first.
func (w *Watch) details(look Look) string {
	type thing struct {
		rank int
		text string
	}
	var things []thing
	silent := []string{}
	for _, host := range slices.Sorted(maps.Keys(look.Shown)) {
		shown := look.Shown[host]
		if shown.Silent {
			silent = append(silent, host)
			continue
		}
		prefix := ""
		if len(look.Shown) > 1 {
			prefix = host + ": "
		}
		for _, sign := range shown.Signs {
			if sign.Source == hosts.SourceImages || w.worthTelling(sign) {
				things = append(things, thing{rank(sign), prefix + describe(sign, w.startup(sign))})
			}
		}
	}
	slices.SortStableFunc(things, func(a, b thing) int { return cmp.Compare(a.rank, b.rank) })
	var texts []string
	for _, one := range things[:min(len(things), shownThings)] {
		texts = append(texts, one.text)
	}
	if len(silent) > 0 {
		texts = append(texts, strings.Join(silent[:min(len(silent), shownThings)], ", ")+" does not tell how it is")
	}
	if len(texts) == 0 {
		return w.nothingThere(look)
	}
	return strings.Join(texts, "; ")
}

// nothingThere says of a wait none of whose things is there yet what it itself sees.
func (w *Watch) nothingThere(look Look) string {
	if look.Note != "" {
		return hosts.CleanLine(look.Note)
	}
	return "nothing of it is there yet"
}

// worthTelling tells whether a sign is of what is waited for, or in the way of it. The kubelet and containerd
// are told of where they do not run.
func (w *Watch) worthTelling(sign hosts.Sign) bool {
	if !w.concerns(sign.Source) {
		return false
	}
	runs := sign.State == hosts.StateRunning || strings.HasPrefix(sign.State, "active")
	if strings.HasSuffix(sign.Source, ".service") {
		return !runs
	}
	return w.awaited(sign.Source) && (!runs || w.namesIt(sign.Source) || sign.Seconds < 60) || !runs && ownContainers(sign.Source)
}

// namesIt tells whether a source is the very thing that the step names.
func (w *Watch) namesIt(source string) bool {
	switch w.step.Cluster.(type) {
	case plan.WaitAPI:
		return static(hosts.ComponentAPIServer)(source)
	case plan.MemberPromote, plan.WaitPods, plan.WaitAvailable:
		return w.awaited(source)
	}
	return false
}

// startup is how long the startup probe gives a container, where it has one that this step knows of.
func (w *Watch) startup(sign hosts.Sign) time.Duration {
	switch w.step.Cluster.(type) {
	case plan.WaitAPI, plan.WaitPods, plan.MemberPromote:
		if static(staticPods...)(sign.Source) && w.awaited(sign.Source) {
			return w.patience.BusyTime()
		}
	}
	return 0
}
