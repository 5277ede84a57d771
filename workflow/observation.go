package workflow

import (
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// observation is what was seen.
type observation struct {
	facts map[string]hosts.Facts // of the hosts that answered
	seen  map[string]time.Time   // when, by this machine's clock
	live  hosts.ClusterFacts
}

func (o *observation) note(name string, facts hosts.Facts) {
	o.facts[name], o.seen[name] = facts, time.Now()
}
