package plan

import "time"

// PatienceOf is that of a step's wait, and how long it may take whatever moves; false where the step is no
// wait that heeds what moves.
func PatienceOf(step Step) (patience Patience, limit time.Duration, waits bool) {
	seconds := 0
	switch action := step.Cluster.(type) {
	case WaitAPI:
		patience, seconds = action.Patience, action.Timeout
	case WaitNode:
		patience, seconds = action.Patience, action.Timeout
	case WaitPods:
		patience, seconds = action.Patience, action.Timeout
	case WaitAvailable:
		patience, seconds = action.Patience, action.Timeout
	case WaitEndpoint:
		patience, seconds = action.Patience, action.Timeout
	case MemberPromote:
		patience, seconds = action.Patience, action.Timeout
	}
	return patience, time.Duration(seconds) * time.Second, patience.Quiet > 0
}
