package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

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
	client, err := h.files.open(ctx)
	if err != nil {
		return err
	}
	inbox := h.place.inbox
	err = h.connection.within(ctx, filePatience, "prepare "+inbox, func() error { return makePrivate(client, inbox) })
	if err != nil {
		return err
	}
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(largeAtOnce)
	for _, blob := range lacking {
		group.Go(func() error { return h.sendLarge(ctx, within, client, inbox, blob, tally) })
	}
	return group.Wait()
}

// sendLarge sends one blob, and once more if what was left of an earlier try was bad. within
// is over as well once another blob has failed: then this one ends when it can, and the
// connection, which carries more than blobs, is not cut for its sake.
func (h *host) sendLarge(ctx, within context.Context, client *sftp.Client, inbox string, blob hosts.Blob, tally *agent.Tally) error {
	for try := 1; ; try++ {
		sending := h.connection.oversee(ctx, sendPatience)
		counted, err := h.transfer(within, client, inbox, blob, tally, sending)
		if err = sending.end("send blob "+blob.Ref, err); err != nil {
			return err
		}
		err = h.agent.Ingest(within, blob)
		if !errors.Is(err, agent.ErrBadContent) || try == 2 {
			return err
		}
		tally.Add(-counted)
	}
}

// transfer completes a blob's file in the inbox and answers how many bytes it counted.
func (h *host) transfer(ctx context.Context, client *sftp.Client, inbox string, blob hosts.Blob, tally *agent.Tally, sending *oversight) (int64, error) {
	name := path.Join(inbox, agent.InboxName(blob.SHA256))
	offset := resumeAt(client, name, blob.Size)
	if err := room(client, inbox, blob.Size-offset); err != nil {
		return 0, err
	}
	content, err := openAt(blob, offset)
	if err != nil {
		return 0, fmt.Errorf("read blob %s: %w", blob.Ref, err)
	}
	defer content.Close()
	tally.Add(offset)
	counting := &countingReader{in: movingReader{io.LimitReader(content, blob.Size-offset), sending}, tally: tally}
	err = sendFile(ctx, client, name, offset, counting)
	counted := offset + counting.count
	switch {
	case err == nil && counted != blob.Size:
		return counted, fmt.Errorf("send blob %s: its content ends after %d of %d bytes", blob.Ref, counted, blob.Size)
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
	in    io.Reader
	tally *agent.Tally
	count int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if n > 0 {
		r.count += int64(n)
		r.tally.Add(int64(n))
	}
	return n, err
}
