package hosttest

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
)

// Log adds lines to a unit's journal.
func (f *Fake) Log(unit string, lines ...string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.journals == nil {
		f.journals, f.logged = map[string][]string{}, make(chan struct{})
	}
	f.journals[unit] = append(f.journals[unit], lines...)
	close(f.logged)
	f.logged = make(chan struct{})
}

// said are the lines of a unit's journal, and what is closed when there are more.
func (f *Fake) said(unit string) ([]string, <-chan struct{}) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.journals == nil {
		f.journals, f.logged = map[string][]string{}, make(chan struct{})
	}
	return f.journals[unit], f.logged
}

// Journal reads what Log has put there.
func (o *opened) Journal(ctx context.Context, unit string, lines int, follow bool) (io.ReadCloser, error) {
	op := "read the journal of " + unit
	if err := o.enter(op); err != nil {
		return nil, err
	}
	defer o.calls.Done()
	if err := errors.Join(ctx.Err(), hosts.CheckJournal(unit, lines)); err != nil {
		return nil, failure(op, err)
	}
	all, _ := o.machine.said(unit)
	return &fakeJournal{machine: o.machine, unit: unit, next: max(0, len(all)-lines), follow: follow, closed: make(chan struct{})}, nil
}

// fakeJournal is a unit's journal from a line on.
type fakeJournal struct {
	machine *Fake
	unit    string
	next    int
	follow  bool
	rest    string // of the line that is being read
	once    sync.Once
	closed  chan struct{}
}

func (j *fakeJournal) Read(p []byte) (int, error) {
	for j.rest == "" {
		all, more := j.machine.said(j.unit)
		switch {
		case j.next < len(all):
			j.rest = all[j.next] + "\n"
			j.next++
		case !j.follow:
			return 0, io.EOF
		default:
			if j.machine.Followed != nil {
				j.machine.Followed(j.unit)
			}
			select {
			case <-more:
			case <-j.closed:
				return 0, io.ErrClosedPipe
			}
		}
	}
	n := copy(p, j.rest)
	j.rest = j.rest[n:]
	return n, nil
}

func (j *fakeJournal) Close() error {
	j.once.Do(func() { close(j.closed) })
	return nil
}
