package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// session is the right to change one lab: its lock is held, its record is in hand.
type session struct {
	lab  *Lab
	lock *os.File // closing it lets go of the lab, where no init waits for its specification

	mu     sync.Mutex
	record *record
}

// enter locks a lab and reads its record.
func (l *Lab) enter(ctx context.Context) (*session, error) {
	lock, err := lockFile(ctx, l.dir+".lock")
	if err != nil {
		return nil, fmt.Errorf("lock lab %s: %w", l.name, err)
	}
	r, err := l.load()
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &session{lab: l, lock: lock, record: r}, nil
}

// lockNew locks a lab that may not be there yet, nor the folder that labs are kept in.
func (l *Lab) lockNew(ctx context.Context) (*os.File, error) {
	for {
		if err := os.MkdirAll(filepath.Dir(l.dir), 0o700); err != nil {
			return nil, err
		}
		lock, err := lockFile(ctx, l.dir+".lock")
		if !errors.Is(err, fs.ErrNotExist) { // the last Down takes the folder away
			return lock, err
		}
	}
}

// change changes the record and writes it down.
func (s *session) change(do func(*record)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(s.record)
	return s.lab.save(s.record)
}

// lockFile waits for the lock on a file, and gives the file, whose closing frees it, as the death of its
// holder does. The file may be removed by who holds the lock: then the lock is on nothing, and is taken anew.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && sameFile(f, path) {
			return f, nil
		}
		f.Close()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("another command holds it: %w", err)
		}
	}
}

func sameFile(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}
