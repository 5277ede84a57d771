package checks

import (
	"slices"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// How far a host's clock may be from the others'.
const (
	clockWarning = 5 * time.Second
	clockError   = time.Minute
)

const clockFix = "set it and keep it: timedatectl set-ntp true"

// wrongClock looks whether the cluster's CA is valid by the host's clock, and how far that is from
// the others'.
func wrongClock(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.Time.IsZero() {
		return nil
	}
	if authority, err := certs.Parse(v.PKI.CA.Cert); err == nil {
		switch now := facts.Time.UTC().Format(time.RFC3339); {
		case facts.Time.Before(authority.NotBefore):
			return []Finding{finding(clockFix, "it says %s, when the cluster's CA is not valid yet", now)}
		case facts.Time.After(authority.NotAfter):
			return []Finding{finding(clockFix, "it says %s, when the cluster's CA has expired", now)}
		}
	}
	middle, whose, known := rightClock(v)
	switch away := (offset(v, host.Name) - middle).Abs(); {
	case !known:
		return nil
	case away > clockError:
		return []Finding{finding(clockFix, "it is %s away from %s", away.Round(time.Second), whose)}
	case away > clockWarning:
		return []Finding{warning(clockFix, "it is %s away from %s", away.Round(time.Second), whose)}
	}
	return nil
}

// offset is how far a host's clock was from the operator's when it was read, where that is known.
func offset(v view.View, name string) time.Duration {
	read, known := v.Observed[name]
	if !known {
		read = v.Now
	}
	return v.Facts[name].Time.Sub(read)
}

// rightClock is the middle of all clocks that were seen or, where none of them is in the cluster,
// its API server's.
func rightClock(v view.View) (middle time.Duration, whose string, known bool) {
	var all, others []time.Duration // others are those who stay as they are
	strangers := true
	for _, host := range v.Cluster.Hosts {
		if facts, seen := v.Facts[host.Name]; !seen || facts.Time.IsZero() {
			continue
		}
		all = append(all, offset(v, host.Name))
		if !view.Among(targets(v), host.Name) {
			others = append(others, offset(v, host.Name))
		}
		strangers = strangers && !v.Joined(host.Name)
	}
	switch {
	case len(others) > 0: // two who come must not outvote the one of the cluster
		all = others
	case strangers && v.ClusterFacts.ClockOffset != nil:
		return *v.ClusterFacts.ClockOffset, "the API server's clock", true
	case len(all) < 2:
		return 0, "", false
	}
	slices.Sort(all)
	return all[(len(all)-1)/2], "the other hosts' clocks", true
}
