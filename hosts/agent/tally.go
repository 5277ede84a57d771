package agent

import (
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
)

// Tally adds up the progress of several blobs into one, and reports it from one
// goroutine at a time.
type Tally struct {
	mutex    sync.Mutex
	progress func(hosts.Progress)
	done     int64
	total    int64
}

// NewTally counts the bytes of these blobs; progress may be nil.
func NewTally(blobs []hosts.Blob, progress func(hosts.Progress)) *Tally {
	t := &Tally{progress: progress}
	for _, blob := range blobs {
		t.total += blob.Size
	}
	return t
}

// Add notes n bytes more; n is negative where some have to be sent again.
func (t *Tally) Add(n int64) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.done += n
	if t.progress != nil {
		t.progress(hosts.Progress{Done: t.done, Total: t.total})
	}
}
