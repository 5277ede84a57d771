package cluster

import (
	"slices"
	"time"
)

// OnBlockedChoices are all there are, the one that counts unless another is said first.
var OnBlockedChoices = []string{string(OnBlockedStop), string(OnBlockedWait), string(OnBlockedForce), string(OnBlockedSkip)}

// leastDrain is the shortest time limit: it is counted in seconds.
const leastDrain = Duration(time.Second)

func (k *checker) drain(d Drain) {
	if d.Timeout < leastDrain {
		k.wrong("drain.timeout", "write how long the Pods of one host have to go, such as "+DefaultDrainTimeout.String(), "%s is too short", d.Timeout)
	}
	if d.GracePeriod < 0 {
		k.wrong("drain.gracePeriod", "leave it out: each Pod then gets what it says itself", "%s is less than nothing", d.GracePeriod)
	}
	if d.GracePeriod >= d.Timeout {
		k.wrong("drain.gracePeriod", "write less than timeout, "+d.Timeout.String(), "%s leaves no time to end in", d.GracePeriod).concludedFrom("timeout")
	}
	if !slices.Contains(OnBlockedChoices, string(d.OnBlocked)) {
		k.wrong("drain.onBlocked", oneOf(string(d.OnBlocked), OnBlockedChoices), "%q is not known", d.OnBlocked)
	}
	switch {
	case d.ForceAfter < leastDrain:
		k.wrong("drain.forceAfter", "write at least 1s", "%s is too short", d.ForceAfter)
	case d.OnBlocked == OnBlockedForce && d.ForceAfter >= d.Timeout:
		k.wrong("drain.forceAfter", "write less than timeout, "+d.Timeout.String(), "%s: the time is over before", d.ForceAfter).concludedFrom("timeout")
	}
}
