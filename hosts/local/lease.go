//go:build linux

package local

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// heartbeat is how often a holder shows that it lives.
	heartbeat = 3 * time.Second
	// leaseTimeout is how long TakeLease waits for an action of someone without a lease.
	leaseTimeout = 2 * time.Second
	// noteAge is the age up to which a note proves that its holder is alive.
	noteAge = 3 * heartbeat
	// leaseSize pads the holder's note, so that one write replaces it whole.
	leaseSize = 1024
)

// lease is the lock that one operator holds on the host. The kernel frees it when its
// process goes, however it goes.
type lease struct {
	path string
	now  func() time.Time

	mu     sync.Mutex
	file   *os.File // held while not nil
	holder hosts.LeaseHolder
	stop   func()
}

// take takes the lease; it answers false where this Host has it already.
func (l *lease) take(ctx context.Context, holder string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	file, err := l.acquire(ctx, unix.LOCK_EX)
	if err != nil {
		return false, err
	}
	since := l.now().UTC().Format(time.RFC3339)
	l.file, l.holder = file, hosts.LeaseHolder{Holder: holder, Since: since, Heard: since}
	if err := l.write(); err != nil {
		l.file = nil
		file.Close()
		return false, err
	}
	l.beat()
	return true, nil
}

// acquire locks the lease's file. A live holder is an error at once. Anybody else is waited for
// until ctx ends: an action or an observation without a lease, or a holder that was stopped.
func (l *lease) acquire(ctx context.Context, how int) (*os.File, error) {
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		file, err := l.try(how)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return file, err
		}
		holder := l.exclusive()
		if holder != nil && l.fresh(*holder) {
			return nil, heldBy(*holder)
		}
		select {
		case <-ctx.Done():
			if holder != nil {
				return nil, heldBy(*holder)
			}
			unknown := l.now().UTC().Format(time.RFC3339)
			return nil, heldBy(hosts.LeaseHolder{Holder: "another agent's action", Since: unknown, Heard: unknown})
		case <-retry.C:
		}
	}
}

// exclusive is the note of the one who has locked the file exclusively; nil where nobody has:
// a note in it is then a dead holder's.
func (l *lease) exclusive() *hosts.LeaseHolder {
	file, err := l.try(unix.LOCK_SH)
	if err == nil {
		file.Close()
		return nil
	}
	holder, err := readHolder(l.path)
	if err != nil {
		return nil
	}
	return holder
}

// fresh tells whether a holder has written its note recently enough to be alive: until a new
// holder, which has the lock, has written its own, the file shows the note of the one before.
func (l *lease) fresh(holder hosts.LeaseHolder) bool {
	heard, err := time.Parse(time.RFC3339, holder.Heard)
	return err == nil && l.now().Sub(heard) < noteAge
}

// try locks the file that lies at the lease's path, without waiting.
func (l *lease) try(how int) (*os.File, error) {
	if err := makeParents(l.path, modeParents); err != nil {
		return nil, err
	}
	for {
		file, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB); err != nil {
			file.Close()
			return nil, err
		}
		if sameFile(file, l.path) {
			return file, nil
		}
		file.Close() // the host was forgotten in between, and the path is another file's now
	}
}

func sameFile(file *os.File, path string) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}

func heldBy(holder hosts.LeaseHolder) error {
	return &hosts.Error{
		Kind: hosts.KindLease,
		Err:  holder,
		Fix:  "wait until it is done, or end that process",
	}
}

// enter lets one action through: at once for the holder, for others only while nobody
// holds the lease, and then nobody can take it before the action has ended.
func (l *lease) enter() (release func(), err error) {
	l.mu.Lock()
	held := l.file != nil
	l.mu.Unlock()
	if held {
		return func() {}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaseTimeout)
	defer cancel()
	file, err := l.acquire(ctx, unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	return func() { file.Close() }, nil
}

// beat shows every few seconds that the holder lives.
func (l *lease) beat() {
	stop, stopped := make(chan struct{}), make(chan struct{})
	l.stop = func() { close(stop); <-stopped }
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(heartbeat)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				l.mu.Lock()
				l.holder.Heard = l.now().UTC().Format(time.RFC3339)
				_ = l.write() // the lock holds without the note
				l.mu.Unlock()
			}
		}
	}()
}

// write puts the holder's note into the locked file, in one write.
func (l *lease) write() error {
	if l.file == nil {
		return nil
	}
	note, err := json.Marshal(l.holder)
	if err != nil {
		return fmt.Errorf("write the lease: %w", err)
	}
	if len(note) >= leaseSize {
		return fmt.Errorf("write the lease: the holder's name is too long")
	}
	padded := append(note, bytes.Repeat([]byte(" "), leaseSize-1-len(note))...)
	if _, err := l.file.WriteAt(append(padded, '\n'), 0); err != nil {
		return fmt.Errorf("write the lease: %w", err)
	}
	return nil
}

// free gives the lease back.
func (l *lease) free() error {
	l.mu.Lock()
	file, stop := l.file, l.stop
	l.file, l.stop = nil, nil
	l.mu.Unlock()
	if file == nil {
		return nil
	}
	stop()
	return errors.Join(file.Truncate(0), file.Close())
}

// seen is who holds the lease, as anybody can see it; nil where nobody does.
func (l *lease) seen() (*hosts.LeaseHolder, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		holder := l.holder
		return &holder, nil
	}
	file, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	err = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if err == nil {
		return nil, nil
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return nil, err
	}
	return readHolder(l.path)
}

// readHolder reads the note of the lease's file; nil where it is empty.
func readHolder(path string) (*hosts.LeaseHolder, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	note, err := io.ReadAll(io.LimitReader(file, leaseSize))
	if err != nil || len(bytes.TrimSpace(note)) == 0 {
		return nil, err
	}
	var holder hosts.LeaseHolder
	if err := json.Unmarshal(note, &holder); err != nil {
		return nil, err
	}
	return &holder, nil
}

// takeLease takes the host for an operator until the Host is closed.
func (h *Host) takeLease(ctx context.Context, a hosts.TakeLease) (hosts.Outcome, error) {
	holder := cmp.Or(a.Holder, h.holder)
	taken, err := h.lease.take(ctx, holder)
	if err != nil {
		return hosts.Outcome{}, err
	}
	if taken || a.Plan != "" {
		h.journal.setHolder(holder, a.Plan)
	}
	if !taken {
		return unchanged, nil
	}
	return hosts.Outcome{Result: hosts.Changed, Detail: "held by " + holder}, nil
}

// releaseLease gives the lease back, for a run that could not have all of its hosts.
func (h *Host) releaseLease(_ context.Context, _ hosts.ReleaseLease) (hosts.Outcome, error) {
	if count := h.acting.Load(); count > 0 {
		return hosts.Outcome{}, fmt.Errorf("%d actions still run: the lease is freed when they have ended", count)
	}
	if held, err := h.lease.held(), h.lease.free(); err != nil || !held {
		return unchanged, err
	}
	h.journal.setHolder(h.holder, "")
	return hosts.Outcome{Result: hosts.Changed, Detail: "given back"}, nil
}

// held tells whether this Host has the lease.
func (l *lease) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file != nil
}
