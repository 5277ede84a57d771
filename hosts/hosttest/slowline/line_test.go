package slowline

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestLine: what is sent arrives whole and in order, after its delay, as fast as the line carries it.
func TestLine(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789"), 100_000) // a million
	for name, test := range map[string]struct {
		line *Line
		from time.Duration
		to   time.Duration
	}{
		"only distant": {&Line{Delay: 150 * time.Millisecond}, 150 * time.Millisecond, 151 * time.Millisecond},
		"only slow":    {&Line{Rate: 250_000}, 4 * time.Second, 4100 * time.Millisecond},
		"both":         {&Line{Delay: 150 * time.Millisecond, Rate: 250_000}, 4150 * time.Millisecond, 4300 * time.Millisecond},
		"lossy":        {&Line{Delay: 150 * time.Millisecond, Rate: 250_000, Loss: 0.01}, 4150 * time.Millisecond, 5 * time.Second},
		"short queue":  {&Line{Rate: 250_000, Queue: 2}, 4 * time.Second, 4100 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			defer time.Sleep(24 * time.Hour) // what is on its way comes to its end
			began := time.Now()
			near, far := net.Pipe()
			conn := Between(far, test.line, &Line{})
			go func() {
				_, _ = conn.Write(sent)
				_ = conn.Close()
			}()
			got, _ := io.ReadAll(near)
			if took := time.Since(began); took < test.from || took > test.to {
				t.Errorf("%s: it took %s", name, took)
			}
			if !bytes.Equal(got, sent) || test.line.Moved() != int64(len(sent)) {
				t.Errorf("%s: %d of %d bytes have come, %d were moved", name, len(got), len(sent), test.line.Moved())
			}
		})
	}
}

// TestLineIsShared: two streams over one line take twice as long.
func TestLineIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(24 * time.Hour) // what is on its way comes to its end
		began, line := time.Now(), &Line{Rate: 100_000}
		done := make(chan int)
		for range 2 {
			go func() {
				var got bytes.Buffer
				_ = line.Copy(&got, bytes.NewReader(make([]byte, 500_000)))
				done <- got.Len()
			}()
		}
		if one, other := <-done, <-done; one != 500_000 || other != 500_000 {
			t.Errorf("%d and %d bytes have come", one, other)
		}
		if took := time.Since(began); took < 9900*time.Millisecond || took > 10100*time.Millisecond {
			t.Errorf("it took %s", took)
		}
	})
}

// TestLineEndsWithItsReader: whoever writes to nobody is told so.
func TestLineEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(24 * time.Hour) // what is on its way comes to its end
		near, far := net.Pipe()
		conn := Between(far, &Line{Rate: 1000}, &Line{})
		_ = near.Close()
		if _, err := conn.Write(make([]byte, 10<<20)); err == nil {
			t.Error("nobody reads, and all was written")
		}
	})
}
