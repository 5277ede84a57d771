package checks

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// confirmed is how far apart a cause that does not heal has to be seen twice before the wait ends for it: what
// a host shows while it comes up may be over with the next try.
const confirmed = 24 * time.Second

// cause finds the known cause that a host shows, and tells whether it does not heal by itself, was seen
// often enough, and nothing is done on the host any more that may heal it; still is since when nothing new
// was seen.
func (w *Watch) cause(look Look, still time.Duration) (found *Finding, lasting bool) {
	fresh := map[string]bool{}
	for _, host := range slices.Sorted(maps.Keys(look.Shown)) {
		evidence := concerning(look.Shown[host].Evidence, w.concerns)
		if now, known := DiagnoseFor(w.step, host, evidence); known && found == nil {
			found = &now
		}
		for _, seen := range w.news(host, evidence) {
			now, source, known := diagnose(host, []hosts.Evidence{seen}, follows(w.step))
			if !known || !lasts[now.Check] || !w.decides(source) {
				continue
			}
			// Of several hosts another may do what is waited for, and a missing image may be another Pod's.
			alone := len(look.Shown) == 1 && now.Check != "ImagePull"
			key := host + " " + now.Check + " " + source
			if fresh[key] {
				continue
			}
			fresh[key] = true
			since, before := w.causes[key]
			if !before || look.After-since.last > forgotten {
				since.first = look.After
			}
			since.last = look.After
			w.causes[key] = since
			rests := alone || still >= w.patience.QuietTime()/2
			if !lasting && rests && since.last-since.first >= confirmed && !slices.Contains(look.Working, host) {
				found, lasting = &now, true
			}
		}
	}
	return found, lasting
}

// decides tells whether what a source shows can end the wait: what is waited for, and what that stands on.
// Who listens at the port of something else is nobody's business here, and a file system with little room may
// be nobody's either: who is in want of room says so in a log.
func (w *Watch) decides(source string) bool {
	if source == hosts.SourceDisk {
		return false
	}
	if component, isPort := strings.CutPrefix(source, "port "); isPort {
		_, component, _ = strings.Cut(strings.TrimSuffix(component, ")"), "(")
		return slices.Contains(components(w.step), component)
	}
	_, _, _, isContainer := ofContainer(source)
	if _, node := w.step.Cluster.(plan.WaitNode); node && static(staticPods...)(source) {
		return false
	}
	return !isContainer || w.awaited(source)
}

// components are those whose ports the step waits for.
func components(step plan.Step) []string {
	switch action := step.Cluster.(type) {
	case plan.WaitAPI:
		return []string{hosts.ComponentAPIServer, hosts.ComponentEtcd}
	case plan.MemberPromote:
		return []string{hosts.ComponentEtcd}
	case plan.WaitPods:
		var names []string
		for _, pod := range action.Pods {
			names = append(names, pod.Name)
		}
		return names
	case plan.WaitNode:
		return []string{hosts.ComponentKubelet}
	}
	return nil
}

// forgotten is after how long without a further sighting a cause has to be seen anew: the longest that the
// kubelet waits between two starts, and some.
const forgotten = 6 * time.Minute

// concerning are the pieces of evidence of the sources that a step is about.
func concerning(evidence []hosts.Evidence, concerns func(string) bool) []hosts.Evidence {
	var found []hosts.Evidence
	for _, one := range evidence {
		if concerns(one.Source) {
			found = append(found, one)
		}
	}
	return found
}

// news are, of each source, the lines that it has said since the look before: an old line in a log proves
// nothing of now. What is no log is as it is now.
func (w *Watch) news(host string, evidence []hosts.Evidence) []hosts.Evidence {
	var found []hosts.Evidence
	for _, one := range evidence {
		at := host + " " + one.Source
		before, known := w.previous[at]
		w.previous[at] = one
		if known && speaks(one.Source) {
			one.Lines = newLines(before.Lines, one.Lines)
		}
		if len(one.Lines) > 0 {
			found = append(found, one)
		}
	}
	return found
}

// speaks tells whether a source is a log with a line of its state before it.
func speaks(source string) bool {
	_, _, _, container := ofContainer(source)
	return container || is(kubelet, containerd, haproxy, keepalived)(source)
}

// newLines are those that came after the ones of the look before. Their first line is the source's state.
func newLines(before, now []string) []string {
	if len(before) == 0 || len(now) == 0 {
		return now
	}
	restarted := before[0] != now[0]
	before, now = before[1:], now[1:]
	if restarted {
		return now
	}
	for overlap := min(len(before), len(now)); overlap > 0; overlap-- {
		if slices.Equal(before[len(before)-overlap:], now[:overlap]) {
			return now[overlap:]
		}
	}
	return now
}
