package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/slipway-k8s/slipway/hosts"
)

// InboxName is what a blob of this digest is called in the inbox, whole or in part.
func InboxName(sha256 string) string { return sha256 + ".part" }

// put takes a blob that came with the request.
func (s *server) put(ctx context.Context, body blobBody, data []byte, progress func(hosts.Progress)) error {
	if int64(len(data)) != body.Size {
		return fmt.Errorf("take blob %s: %d bytes came, not %d", body.Ref, len(data), body.Size)
	}
	return s.host.Upload(ctx, []hosts.Blob{body.blob(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})}, progress)
}

// ingest takes a blob out of the inbox and removes it there.
func (s *server) ingest(ctx context.Context, body blobBody, progress func(hosts.Progress)) error {
	op := "take blob " + body.Ref + " from the inbox"
	path, err := partPath(s.opts.Inbox, body.SHA256)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return s.ingestFile(ctx, op, path, body, progress)
}

// ingestFile takes a blob out of a file and removes that.
func (s *server) ingestFile(ctx context.Context, op, path string, body blobBody, progress func(hosts.Progress)) error {
	if err := checkInboxFile(path, body.Size); err != nil {
		return fmt.Errorf("%s: %w", op, removeBad(path, err))
	}
	err := s.host.Upload(ctx, []hosts.Blob{body.blob(func() (io.ReadCloser, error) {
		return openInboxFile(path)
	})}, progress)
	var known *hosts.Error
	switch {
	case err == nil:
		return os.Remove(path)
	case errors.As(err, &known) && known.Kind == hosts.KindDiskFull:
		return err // it is not the file's fault
	case ctx.Err() == nil && !matches(ctx, path, body.SHA256, progress):
		return fmt.Errorf("%s: %w", op, removeBad(path, ErrBadContent))
	}
	return err
}

func (b blobBody) blob(open func() (io.ReadCloser, error)) hosts.Blob {
	return hosts.Blob{Ref: b.Ref, SHA256: b.SHA256, Size: b.Size, Secret: b.Secret, Open: open}
}

// partPath is where a blob of this digest lies in a folder, whole or in part.
func partPath(folder, digest string) (string, error) {
	raw, err := hex.DecodeString(digest)
	switch {
	case folder == "":
		return "", errors.New("this agent has no inbox")
	case err != nil || len(raw) != sha256.Size || hex.EncodeToString(raw) != digest:
		return "", errors.New("its digest is no SHA-256 in hex")
	}
	return filepath.Join(folder, InboxName(digest)), nil
}

// openInboxFile opens a file of the inbox and follows no link: the inbox belongs to the
// login user, and this process is root.
func openInboxFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

func checkInboxFile(path string, size int64) error {
	file, err := openInboxFile(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	case info.Size() != size:
		return fmt.Errorf("it has %d bytes, not %d: %w", info.Size(), size, ErrBadContent)
	}
	return nil
}

// removeBad removes a file whose content is wrong, so that the next try starts anew.
func removeBad(path string, err error) error {
	if errors.Is(err, ErrBadContent) {
		return errors.Join(err, os.Remove(path))
	}
	return err
}

// matches reads an inbox file again to tell a bad file from a store's trouble, and tells how
// far it is. A file that cannot be read is not called bad.
func matches(ctx context.Context, path, digest string, progress func(hosts.Progress)) bool {
	file, err := openInboxFile(path)
	if err != nil {
		return true
	}
	defer file.Close()
	hash := sha256.New()
	told := &tellingReader{in: hosts.ContextReader{Context: ctx, In: file}, progress: progress}
	if _, err := io.Copy(hash, told); err != nil {
		return true
	}
	return hex.EncodeToString(hash.Sum(nil)) == digest
}

// tellingReader tells how much was read.
type tellingReader struct {
	in       io.Reader
	progress func(hosts.Progress)
	read     int64
}

func (r *tellingReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if r.read += int64(n); n > 0 {
		r.progress(hosts.Progress{Done: r.read, Note: "reading what came once more"})
	}
	return n, err
}
