package workflow

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhatIsLeftAfterARunMayPass: what is left in the cluster is looked at for half a minute, an API server that is
// silent has as long as one has for its start, and what does not pass by itself is told at once.
func TestWhatIsLeftAfterARunMayPass(t *testing.T) {
	const most = 10 * time.Minute
	wrong := errors.New("wrong")
	for name, test := range map[string]struct {
		at     func(since time.Duration) glance
		wrong  bool
		from   time.Duration // when it ends
		within time.Duration // after that
	}{
		"all is well":             {at: func(time.Duration) glance { return glance{answers: true} }},
		"nothing passes":          {at: func(time.Duration) glance { return glance{answers: true, left: wrong} }, wrong: true},
		"on a host, in a silence": {at: func(time.Duration) glance { return glance{left: wrong} }, wrong: true},
		"it stays so":             {at: func(time.Duration) glance { return glance{true, wrong, settleLooks} }, wrong: true, from: 27 * time.Second},
		"two have the address":    {at: func(time.Duration) glance { return glance{true, wrong, agreeLooks} }, wrong: true, from: 6 * time.Second},
		"it passes": {at: func(since time.Duration) glance {
			if since > 20*time.Second {
				return glance{answers: true}
			}
			return glance{true, wrong, settleLooks}
		}, from: 20 * time.Second, within: settlePause},
		"an API server that starts slowly, and then takes a moment": {at: func(since time.Duration) glance {
			switch {
			case since < 9*time.Minute:
				return glance{false, wrong, settleLooks}
			case since < 9*time.Minute+20*time.Second:
				return glance{true, wrong, settleLooks}
			}
			return glance{answers: true}
		}, from: 9*time.Minute + 20*time.Second, within: settlePause},
		"one that does not come back": {at: func(time.Duration) glance { return glance{false, wrong, settleLooks} }, wrong: true, from: most, within: settlePause},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := settled(t.Context(), most, func(time.Duration) (glance, error) { return test.at(time.Since(began)), nil })
				if took := time.Since(began); (err != nil) != test.wrong || took < test.from || took > test.from+test.within {
					t.Errorf("it ends after %s with %v", took, err)
				}
			})
		})
	}
}
