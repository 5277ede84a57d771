package tui

import (
	"slices"

	"github.com/slipway-k8s/slipway/workflow"
)

// standing is how a cluster is, as far as its hosts and its API have told.
type standing int

const (
	standsLooking     standing = iota // hosts are waited for, and nothing is known yet
	standsNone                        // the hosts that answer have no record of a cluster
	standsUnknown                     // no host answers, or it is not known whose keys count: the picture's cause says why
	standsConnecting                  // the cluster is known; whether its API answers is not
	standsInterrupted                 // Slipway has been at work on the hosts, and no API was ever seen
	standsDown                        // the API does not answer
	standsUp
)

// standingOf is how the cluster of a picture stands.
func standingOf(p *workflow.Picture) standing {
	waits := len(waitingFor(p)) > 0
	recorded := slices.ContainsFunc(p.Details, func(d workflow.HostDetails) bool { return d.Record != nil })
	answered := slices.ContainsFunc(p.Hosts, func(h workflow.HostStatus) bool { return h.Connection == workflow.ConnectionOK })
	switch {
	case p.ID == "" && waits:
		return standsLooking
	case p.ID == "" && answered && !recorded:
		return standsNone
	case p.ID == "":
		return standsUnknown
	case p.Reachable || p.Live.Connected:
		return standsUp
	case p.Live.Cause == "":
		return standsConnecting
	case !waits && recorded && !seenAPI(p) && !initEnded(p.Runs):
		return standsInterrupted
	}
	return standsDown
}

// seenAPI tells whether an API server has told anything since one looks.
func seenAPI(p *workflow.Picture) bool { return p.Live.Version != "" || len(p.Live.Nodes) > 0 }

// initEnded tells whether the last init that was made from this machine has come to its end: then nothing is left of
// an interrupted one.
func initEnded(runs []workflow.RunSummary) bool {
	for _, r := range runs {
		if r.Workflow == workflow.Init.Name {
			return r.Error == "" && !r.Ended.IsZero()
		}
	}
	return false
}

// waitingFor are the hosts that have not answered yet.
func waitingFor(p *workflow.Picture) []string {
	var names []string
	for _, h := range p.Hosts {
		if h.Waiting() {
			names = append(names, clean(h.Name))
		}
	}
	return names
}

// installable tells whether the installer is the way on.
func (at standing) installable() bool {
	return at == standsNone || at == standsUnknown || at == standsInterrupted
}
