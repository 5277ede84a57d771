package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/pkg/sftp"
	"golang.org/x/sync/errgroup"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
)

// largeAtOnce is how many large blobs are sent at the same time.
const largeAtOnce = 3

// Upload brings to the host what it lacks: small and secret blobs through the agent,
// large ones by SFTP into the inbox, from where the agent takes them. A large one that
// was cut off goes on from where it was.
func (h *host) Upload(ctx context.Context, blobs []hosts.Blob, progress func(hosts.Progress)) error {
	return named(h.options.Name, "upload", h.orCut("upload", h.upload(ctx, blobs, progress)))
}

func (h *host) upload(ctx context.Context, blobs []hosts.Blob, progress func(hosts.Progress)) error {
	lacking, err := h.agent.Lacks(ctx, blobs)
	if err != nil {
		return err
	}
	if len(lacking) > 0 {
		h.used.Store(true)
	}
	tally := agent.NewTally(lacking, progress)
	var small, large []hosts.Blob
	for _, blob := range lacking {
		if agent.Inline(blob) {
			small = append(small, blob)
		} else {
			large = append(large, blob)
		}
	}
	if err := h.agent.PutAll(ctx, small, tally); err != nil {
		return err
	}
	return h.sendAllLarge(ctx, large, tally)
}

// sendAllLarge sends large blobs, one Upload after another: two must not write into the
// same file of the inbox.
func (h *host) sendAllLarge(ctx context.Context, blobs []hosts.Blob, tally *agent.Tally) error {
	if len(blobs) == 0 {
		return nil
	}
	select {
	case h.sending <- struct{}{}:
		defer func() { <-h.sending }()
	case <-ctx.Done():
		return ctx.Err()
	}
	lacking, err := h.agent.Lacks(ctx, blobs) // another Upload may have brought some
	if err != nil {
		return err
	}
	sent := map[string]bool{}
	for _, blob := range lacking {
		sent[blob.Ref] = true
	}
	for _, blob := range blobs {
		if !sent[blob.Ref] {
			tally.Add(blob.Size)
		}
	}
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(largeAtOnce)
	for _, blob := range lacking {
		group.Go(func() error { return h.sendLarge(ctx, within, blob, tally) })
	}
	return group.Wait()
}

// sendLarge sends one blob by SFTP, or through the agent where that is not to be had. within
// is over as well once another blob has failed: then this one ends when it can, and the
// connection, which carries more than blobs, is not cut for its sake.
func (h *host) sendLarge(ctx, within context.Context, blob hosts.Blob, tally *agent.Tally) error {
	if !h.noFiles.Load() {
		client, err := h.openInbox(ctx)
		counted := int64(0)
		if err == nil {
			counted, err = h.sendByFiles(ctx, within, client, blob, tally)
		}
		if err == nil || within.Err() != nil || !h.mayGoByAgent(err) {
			return err
		}
		h.noFiles.Store(true)
		tally.Add(-counted)
	}
	return h.sendByAgent(within, blob, tally)
}

// openInbox opens SFTP, with the inbox there.
func (h *host) openInbox(ctx context.Context) (*sftp.Client, error) {
	client, err := h.files.open(ctx)
	if err != nil {
		return nil, err
	}
	inbox := h.place.inbox
	return client, h.connection.within(ctx, filePatience, "prepare "+inbox, func() error { return makePrivate(client, inbox) })
}

// mayGoByAgent tells whether a blob that did not go by SFTP may go through the agent, which is root: sshd may
// give no SFTP or no second session, a login shell may print into it, the user's home may not be written to, be full, be
// at its quota, or be where root may not read.
func (h *host) mayGoByAgent(err error) bool {
	var known *hosts.Error
	errors.As(err, &known)
	switch {
	case errors.Is(err, errUnread), errors.Is(err, context.Canceled), h.connection.lost(err):
		return false
	case known != nil && known.Kind == hosts.KindDiskFull:
		return !strings.HasPrefix(h.place.inbox, h.place.directory+"/")
	case known != nil && known.Kind == hosts.KindStuck:
		return false
	}
	return true
}

// sendByFiles sends one blob by SFTP, and once more if what was left of an earlier try was bad. It answers how many
// bytes of it are counted.
func (h *host) sendByFiles(ctx, within context.Context, client *sftp.Client, blob hosts.Blob, tally *agent.Tally) (int64, error) {
	for try := 1; ; try++ {
		sending := h.connection.oversee(ctx, sendPatience)
		counted, err := h.transfer(within, client, h.place.inbox, blob, tally, sending)
		if err = sending.end("send blob "+blob.Ref, err); err != nil {
			return counted, err
		}
		err = h.agent.Ingest(within, blob)
		if !errors.Is(err, agent.ErrBadContent) || try == 2 {
			return counted, err
		}
		tally.Add(-counted)
	}
}

// sendByAgent sends one blob through the agent, which puts it together in a folder of root's, in the same way.
func (h *host) sendByAgent(ctx context.Context, blob hosts.Blob, tally *agent.Tally) error {
	for try := 1; ; try++ {
		offset, err := h.agent.Partial(ctx, blob)
		if err != nil {
			return err
		}
		content, err := openAt(blob, offset)
		if err != nil {
			return fmt.Errorf("read blob %s: %w", blob.Ref, err)
		}
		tally.Add(offset)
		counting := &countingReader{in: h.connection.paced(content), tally: tally}
		err = h.agent.Take(ctx, blob, offset, io.LimitReader(counting, blob.Size-offset))
		_ = content.Close()
		counted := offset + counting.count
		switch {
		case err == nil:
			return nil
		case counted < blob.Size && counting.ended:
			return fmt.Errorf("send blob %s: its content ends after %d of %d bytes", blob.Ref, counted, blob.Size)
		case !errors.Is(err, agent.ErrBadContent) || try == 2:
			return err
		}
		tally.Add(-counted)
	}
}

// errUnread is what an error of a blob's own content is: it is no better another way.
var errUnread = errors.New("the content cannot be read")

// unread is such an error.
type unread struct{ error }

func (unread) Is(target error) bool { return target == errUnread }
func (u unread) Unwrap() error      { return u.error }

// transfer completes a blob's file in the inbox and answers how many bytes it counted.
func (h *host) transfer(ctx context.Context, client *sftp.Client, inbox string, blob hosts.Blob, tally *agent.Tally, sending *oversight) (int64, error) {
	name := path.Join(inbox, agent.InboxName(blob.SHA256))
	offset := resumeAt(client, name, blob.Size)
	if err := room(client, inbox, blob.Size-offset); err != nil {
		return 0, err
	}
	content, err := openAt(blob, offset)
	if err != nil {
		return 0, fmt.Errorf("read blob %s: %w", blob.Ref, unread{err})
	}
	defer content.Close()
	tally.Add(offset)
	counting := &countingReader{in: movingReader{h.connection.paced(io.LimitReader(content, blob.Size-offset)), sending}, tally: tally}
	err = sendFile(ctx, client, name, offset, counting)
	counted := offset + counting.count
	switch {
	case err == nil && counted != blob.Size:
		return counted, unread{fmt.Errorf("send blob %s: its content ends after %d of %d bytes", blob.Ref, counted, blob.Size)}
	case counting.failed != nil:
		return counted, unread{fmt.Errorf("read blob %s: %w", blob.Ref, counting.failed)}
	case err == nil:
		return counted, nil
	}
	if full := room(client, inbox, 1<<20); full != nil {
		return counted, full
	}
	return counted, fmt.Errorf("send blob %s to %s: %w", blob.Ref, name, err)
}

// resumeAt is where to go on in a partial file. The last packets that were under way when
// it was cut off may have left holes; they are sent again.
func resumeAt(client *sftp.Client, name string, size int64) int64 {
	info, err := client.Lstat(name)
	if err != nil {
		return 0
	}
	if !info.Mode().IsRegular() || info.Size() > size {
		_ = client.Remove(name) // if it stays, opening it will tell why
		return 0
	}
	return max(0, info.Size()-packetSize*packetsUnderWay)
}

// openAt opens a blob's content from an offset on.
func openAt(blob hosts.Blob, offset int64) (io.ReadCloser, error) {
	content, err := blob.Open()
	if err != nil {
		return nil, err
	}
	if seeker, ok := content.(io.Seeker); ok {
		_, err = seeker.Seek(offset, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, content, offset)
	}
	if err != nil {
		return nil, errors.Join(err, content.Close())
	}
	return content, nil
}

// countingReader adds what is read to a tally.
type countingReader struct {
	in     io.Reader
	tally  *agent.Tally
	count  int64
	ended  bool
	failed error
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if n > 0 {
		r.count += int64(n)
		r.tally.Add(int64(n))
	}
	r.ended = r.ended || errors.Is(err, io.EOF)
	if err != nil && !r.ended {
		r.failed = err
	}
	return n, err
}
