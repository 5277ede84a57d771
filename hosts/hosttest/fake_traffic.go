package hosttest

import (
	"context"

	"github.com/slipway-k8s/slipway/hosts"
)

// Passes says what becomes of the traffic that the machine is to send: it passes, whole, unless this says
// otherwise.
func (f *Fake) Passes(passes func(hosts.Probe) hosts.Probed) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.passes = passes
}

// observeTraffic listens until its context ends, or sends at once. Nothing is noted of who has asked.
func (o *opened) observeTraffic(ctx context.Context, query hosts.TrafficQuery) *hosts.Traffic {
	f := o.machine
	seen := &hosts.Traffic{}
	f.mutex.Lock()
	for _, port := range query.Listen {
		seen.Listened = append(seen.Listened, hosts.Listened{Port: port, Taken: port.Protocol == hosts.TrafficTCP && f.listening(port.Port) != ""})
	}
	passes := f.passes
	f.mutex.Unlock()
	if tell := hosts.Told(ctx); tell != nil {
		tell(hosts.Progress{Note: hosts.NoteListening})
	}
	for _, probe := range query.Probe {
		done := hosts.Probed{Probe: probe, Passage: hosts.Passed, Fits: probe.Size}
		if passes != nil {
			done = passes(probe)
		}
		seen.Probed = append(seen.Probed, done)
	}
	if len(query.Probe) == 0 {
		<-ctx.Done()
	}
	return seen
}
