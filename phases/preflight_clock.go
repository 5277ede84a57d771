package phases

import (
	"slices"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// How far a host's clock may be from the others'.
const (
	clockWarning = 5 * time.Second
	clockError   = time.Minute
)

const clockFix = "set it and keep it: timedatectl set-ntp true"

// checkClock looks whether the cluster's CA is valid by the host's clock.
func checkClock(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	authority, err := certs.Parse(in.PKI.CA.Cert)
	if err != nil || facts.Time.IsZero() {
		return nil
	}
	switch {
	case facts.Time.Before(authority.NotBefore):
		return []Problem{problem("clock", host, clockFix, "it says %s, when the cluster's CA is not valid yet", stamp(facts.Time))}
	case facts.Time.After(authority.NotAfter):
		return []Problem{problem("clock", host, clockFix, "it says %s, when the cluster's CA has expired", stamp(facts.Time))}
	}
	return nil
}

// clockProblems compares the hosts' clocks with the middle of all that were seen or, where
// none of them is in the cluster, with its API server's: by how far each was from the
// operator's when it was read, where that is known.
func (in Input) clockProblems(targets []cluster.Host) []Problem {
	offsets := map[string]time.Duration{}
	var all, others []time.Duration // others are those who stay as they are
	whose := "the other hosts' clocks"
	strangers := true
	for _, host := range in.Cluster.Hosts {
		facts, seen := in.Facts[host.Name]
		if !seen || facts.Time.IsZero() {
			continue
		}
		read, known := in.Observed[host.Name]
		if !known {
			read = in.Now
		}
		offsets[host.Name] = facts.Time.Sub(read)
		all = append(all, offsets[host.Name])
		if !among(targets, host.Name) {
			others = append(others, offsets[host.Name])
		}
		strangers = strangers && !in.Joined(host.Name)
	}
	if len(others) == 0 && strangers && in.ClusterFacts.ClockOffset != nil {
		others, whose = []time.Duration{*in.ClusterFacts.ClockOffset}, "the API server's clock"
	}
	switch {
	case len(others) > 0: // two who come must not outvote the one of the cluster
		all = others
	case len(all) < 2:
		return nil
	}
	slices.Sort(all)
	middle := all[(len(all)-1)/2]
	var problems []Problem
	for _, host := range targets {
		offset, known := offsets[host.Name]
		if !known {
			continue
		}
		switch away := (offset - middle).Abs(); {
		case away > clockError:
			problems = append(problems, problem("clock", host, clockFix, "it is %s away from %s", away.Round(time.Second), whose))
		case away > clockWarning:
			problems = append(problems, warning("clock", host, clockFix, "it is %s away from %s", away.Round(time.Second), whose))
		}
	}
	return problems
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
