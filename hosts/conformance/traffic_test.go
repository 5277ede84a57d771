package conformance

import (
	"context"

	"github.com/slipway-k8s/slipway/hosts"
)

func (t *trial) listensForTraffic() {
	key := []byte("the run's own")
	port := hosts.Port{Protocol: hosts.TrafficUDP, Address: "127.0.0.1", Port: 38472}
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	listening := make(chan struct{}, 1)
	type answer struct {
		facts hosts.Facts
		err   error
	}
	ended := make(chan answer, 1)
	go func() {
		telling := hosts.Telling(ctx, func(p hosts.Progress) {
			if p.Note == hosts.NoteListening {
				select {
				case listening <- struct{}{}:
				default:
				}
			}
		})
		facts, err := t.host.Observe(telling, hosts.Query{Traffic: &hosts.TrafficQuery{Key: key, Listen: []hosts.Port{port}}})
		ended <- answer{facts, err}
	}()
	select {
	case <-listening:
	case early := <-ended:
		t.Fatalf("it does not listen: %+v, %v", early.facts.Traffic, early.err)
	}
	probe := hosts.Probe{From: "127.0.0.1", To: port, Size: 1200}
	probed := t.observe(hosts.Query{Traffic: &hosts.TrafficQuery{Key: key, Probe: []hosts.Probe{probe}}}).Traffic
	if probed == nil || len(probed.Probed) != 1 || probed.Probed[0].Probe != probe || probed.Probed[0].Passage != hosts.Passed || probed.Probed[0].Fits != 1200 {
		t.Errorf("what was sent to it: %+v", probed)
	}
	cancel()
	got := <-ended
	if got.err != nil || got.facts.Traffic == nil || len(got.facts.Traffic.Listened) != 1 || got.facts.Traffic.Listened[0].Port != port || got.facts.Traffic.Listened[0].Taken {
		t.Errorf("once it has ended: %+v, %v", got.facts.Traffic, got.err)
	}
}
