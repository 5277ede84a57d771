package ssh

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// overseen has work done under oversight with the patience of what is sent, and answers how
// it ended, and whether it was cut, then or in the hour after it.
func overseen(t *testing.T, work func(*oversight)) (err error, cut bool) {
	var cuts atomic.Int32
	o := oversee(t.Context(), sendPatience, func() { cuts.Add(1) })
	work(o)
	err = o.end("send", errors.New("cut"))
	time.Sleep(time.Hour) // of the bubble's clock
	return err, cuts.Load() > 0
}

// TestOversight: only what stands still is cut.
func TestOversight(t *testing.T) {
	for name, test := range map[string]struct {
		work func(*oversight)
		cut  bool
	}{
		"it stands still": {func(*oversight) { time.Sleep(3 * time.Minute) }, true},
		"it moves slowly": {func(o *oversight) {
			for range 100 {
				time.Sleep(100 * time.Second)
				o.moved(1 << 20)
			}
		}, false},
		"it takes next to nothing, for ever": {func(o *oversight) {
			for range 10 {
				time.Sleep(100 * time.Second)
				o.moved(32 << 10)
			}
		}, true},
		"the disk of the host syncs what came": {func(o *oversight) {
			_, _ = io.Copy(io.Discard, endingReader{movingReader{io.LimitReader(zeros{}, 2<<30), o}})
			time.Sleep(8 * time.Minute)
		}, false},
		"the disk never comes to an end": {func(o *oversight) {
			_, _ = io.Copy(io.Discard, endingReader{movingReader{io.LimitReader(zeros{}, 2<<30), o}})
			time.Sleep(10 * time.Minute)
		}, true},
		"somebody tells of it after its end": {func(o *oversight) {
			time.AfterFunc(time.Minute, func() { o.moved(1 << 20); o.allSent() })
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err, cut := overseen(t, test.work)
				var known *hosts.Error
				stuck := errors.As(err, &known) && known.Kind == hosts.KindStuck
				if cut != test.cut || stuck != test.cut {
					t.Errorf("cut: %v; it ends with %v", cut, err)
				}
				if stuck && !strings.Contains(err.Error(), "nothing moved") {
					t.Errorf("it does not say what happened: %v", err)
				}
			})
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestNoSyncIsLong: one of a large file at once would hold up all that is sent beside it.
func TestNoSyncIsLong(t *testing.T) {
	for _, size := range []int64{0, 1, syncEvery - 1, syncEvery, syncEvery + 1, 3*syncEvery + 5} {
		var sent, loose int64
		err := inParts(io.LimitReader(zeros{}, size), func(part io.Reader) (int64, error) {
			n, err := io.Copy(io.Discard, part)
			sent, loose = sent+n, loose+n
			return n, err
		}, func() error {
			if loose > syncEvery {
				t.Errorf("of %d bytes %d are synced at once", size, loose)
			}
			loose = 0
			return nil
		})
		if err != nil || sent != size || loose != 0 {
			t.Errorf("of %d bytes %d are sent, and %d not synced: %v", size, sent, loose, err)
		}
	}
}
