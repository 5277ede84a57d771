//go:build linux

package local

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// slowly is a file of so many pieces that its disk gives one by one.
type slowly struct {
	pieces, size int
	each         time.Duration
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.pieces--; s.pieces < 0 {
		return 0, io.EOF
	}
	time.Sleep(s.each) // of the bubble's clock
	return min(s.size, len(p)), nil
}

// TestALookThatReadsOnIsNotGivenUp, however long a file is, and who waits for it is told.
func TestALookThatReadsOnIsNotGivenUp(t *testing.T) {
	for name, test := range map[string]struct {
		file  slowly
		after time.Duration // it is given up; 0: never
	}{
		"a large file on a slow disk":         {slowly{60_000, 32 << 10, 10 * time.Millisecond}, 0},
		"a file that has a byte now and then": {slowly{10_000, 1, time.Second}, lookLimit},
		"a file that stands still":            {slowly{1, 1, time.Hour}, stuckAfter},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var last time.Time
				silence := time.Duration(0)
				ctx := hosts.Telling(t.Context(), func(p hosts.Progress) {
					if !last.IsZero() {
						silence = max(silence, time.Since(last))
					}
					last = time.Now()
				})
				began := time.Now()
				_, given, err := within(ctx, stuckAfter, "files", func(ctx context.Context) (string, error) {
					lookingAt(ctx, "/large")
					return sum(ctx, &test.file)
				})
				took := time.Since(began)
				switch {
				case err != nil:
					t.Error(err)
				case test.after == 0 && (given != nil || last.IsZero() || silence > 10*time.Second):
					t.Errorf("after %s it is given up: %v; nothing is told for %s", took, given, silence)
				case test.after != 0 && (given == nil || took > test.after+time.Second):
					t.Errorf("after %s it is given up: %v", took, given)
				}
				time.Sleep(2 * time.Hour) // until who was left behind has ended
			})
		})
	}
}
