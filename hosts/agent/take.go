package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// takeSync is how many bytes of a blob are written before they are synced: a host that loses its power keeps
// nearly all that was sent.
const takeSync = 64 << 20

// prepareTake reads what is to be taken; its content is read by run.
func (s *server) prepareTake(in *lineReader) (call, error) {
	var body takeBody
	if err := in.decode(&body); err != nil {
		return call{}, err
	}
	if body.Offset < 0 || body.Size < body.Offset || body.Secret {
		return call{}, breach("a blob of %d bytes from %d on, secret: %t", body.Size, body.Offset, body.Secret)
	}
	c := call{taken: make(chan struct{})}
	c.run = func(ctx context.Context, progress func(hosts.Progress)) (any, error) {
		path, err := s.receive(ctx, body, in, progress)
		close(c.taken)
		if err != nil {
			return nil, fmt.Errorf("take blob %s: %w", body.Ref, err)
		}
		return nil, s.ingestFile(ctx, "take blob "+body.Ref, path, body.blobBody, progress)
	}
	return c, nil
}

// partial looks how much of a blob was received.
func (s *server) partial(body blobBody) (partialBody, error) {
	path, err := partPath(s.opts.Parts, body.SHA256)
	if err != nil {
		return partialBody{}, err
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return partialBody{}, nil
	case err != nil:
		return partialBody{}, err
	case !info.Mode().IsRegular() || info.Size() > body.Size:
		return partialBody{}, os.Remove(path)
	}
	return partialBody{Size: info.Size()}, nil
}

// receive writes a blob's content from its offset on, and gives the file.
func (s *server) receive(ctx context.Context, body takeBody, in io.Reader, progress func(hosts.Progress)) (path string, err error) {
	path, err = partPath(s.opts.Parts, body.SHA256)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(s.opts.Parts, 0o700); err != nil {
		return "", s.noRoom(err, body)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return "", s.noRoom(err, body)
	}
	defer file.Close()
	if err := roomFor(file, s.opts.Parts, body.Size-body.Offset); err != nil {
		return "", err
	}
	if err := file.Truncate(body.Offset); err != nil { // what lies behind it may be anything
		return "", err
	}
	if _, err := file.Seek(body.Offset, io.SeekStart); err != nil {
		return "", err
	}
	told := &tellingReader{in: hosts.ContextReader{Context: ctx, In: in}, read: body.Offset, progress: func(p hosts.Progress) {
		progress(hosts.Progress{Done: p.Done, Total: body.Size})
	}}
	for left := body.Size - body.Offset; left > 0; {
		n, err := io.CopyN(file, told, min(left, takeSync))
		left -= n
		if err == nil {
			err = file.Sync()
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return "", s.noRoom(err, body)
		}
	}
	return path, file.Close()
}

// roomFor fails where the file system of a folder has less than need bytes free. One that cannot tell is believed
// to have enough.
func roomFor(file *os.File, folder string, need int64) error {
	var stat unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &stat); err != nil {
		return nil //nolint:nilerr // as said
	}
	free := int64(stat.Bavail) * int64(stat.Bsize) //nolint:unconvert // of other types elsewhere
	if free >= need {
		return nil
	}
	return fullDisk(folder, fmt.Errorf("%s are free there, %s are needed", mib(free), mib(need)))
}

// noRoom puts an error that a full disk or a used up quota has made into words.
func (s *server) noRoom(err error, body takeBody) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fullDisk(s.opts.Parts, fmt.Errorf("%w: blob %s has %s", err, body.Ref, mib(body.Size)))
	}
	return err
}

func fullDisk(folder string, err error) error {
	return &hosts.Error{Kind: hosts.KindDiskFull, Op: "write to " + folder, Err: err, Fix: "free some space below " + folder}
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
