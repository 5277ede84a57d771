//go:build linux

package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// writesEvery is how often it is looked at what containerd has written.
	writesEvery = 10 * time.Second
	// writesLeast is how much it has to be each time to count as progress: containerd always
	// writes a little.
	writesLeast = 1 << 20
)

type unpackingKey struct{}

// tellingUnpacked is a context whose Load reports how many bytes were written while a layer is
// unpacked: containerd itself reports nothing before the layer's end.
func tellingUnpacked(ctx context.Context, wrote func(bytes int64)) context.Context {
	return context.WithValue(ctx, unpackingKey{}, wrote)
}

// whileUnpacking tells what is written until it is stopped. written is a count that goes up.
func whileUnpacking(ctx context.Context, written func() (int64, error)) (stop func()) {
	wrote, asked := ctx.Value(unpackingKey{}).(func(int64))
	first, err := written()
	if !asked || err != nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		ticker := time.NewTicker(writesEvery)
		defer ticker.Stop()
		for last := first; ; {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			now, err := written()
			if err != nil {
				return
			}
			if now-last >= writesLeast {
				wrote(now - first)
			}
			last = now
		}
	})
	return func() {
		cancel()
		watcher.Wait()
	}
}

// written is how many bytes the process that listens at the socket has had written to disks.
func (d *daemon) written() (int64, error) {
	conn, err := net.Dial("unix", d.socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	asked := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(asked, err); err != nil {
		return 0, err
	}
	return writtenBy(int(peer.Pid))
}

// writtenBy is how many bytes a process has had written to disks.
func writtenBy(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(data) {
		if count, ok := bytes.CutPrefix(line, []byte("write_bytes: ")); ok {
			return strconv.ParseInt(string(bytes.TrimSpace(count)), 10, 64)
		}
	}
	return 0, errors.New("the kernel does not count what a process writes")
}
