package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-k8s/slipway/hosts"
)

// The calls there are.
const (
	pathObserve = "/observe"
	pathDo      = "/do"
	pathHave    = "/have"
	pathPut     = "/put"
	pathIngest  = "/ingest"
	pathPartial = "/partial"
	pathTake    = "/take"
	pathDial    = "/dial"
	pathJournal = "/journal"
	pathLeave   = "/leave"
)

// Observe is that of the agent's host.
func (c *Client) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	facts, err := ask[hosts.Facts](ctx, c, request{
		op: "observe", path: pathObserve, body: query, patience: observePatience, progress: hosts.Told(ctx),
	})
	return facts.Clean(), err
}

// Do is that of the agent's host. When ctx is cancelled it waits for the action's next
// safe point, where that comes soon.
func (c *Client) Do(ctx context.Context, action hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
	encoded, err := hosts.EncodeAction(action)
	if err != nil {
		return hosts.Outcome{}, err
	}
	outcome, err := ask[hosts.Outcome](ctx, c, request{
		op: hosts.Describe(action).Deed, path: pathDo, body: json.RawMessage(encoded), progress: progress, patience: patienceFor(action),
	})
	outcome.Detail = quoted(outcome.Detail)
	return outcome, err
}

// Lacks answers those of the blobs that the host does not have, each once.
func (c *Client) Lacks(ctx context.Context, blobs []hosts.Blob) ([]hosts.Blob, error) {
	var refs []string
	byRef := map[string]hosts.Blob{}
	for _, blob := range blobs {
		if _, seen := byRef[blob.Ref]; !seen {
			byRef[blob.Ref] = blob
			refs = append(refs, blob.Ref)
		}
	}
	if len(refs) == 0 {
		return nil, nil
	}
	has, err := ask[haveBody](ctx, c, request{op: "ask for blobs", path: pathHave, body: haveBody{Refs: refs}, patience: blobPatience})
	if err != nil {
		return nil, err
	}
	for _, ref := range has.Refs {
		delete(byRef, ref)
	}
	var lacking []hosts.Blob
	for _, ref := range refs {
		if blob, lacks := byRef[ref]; lacks {
			lacking = append(lacking, blob)
		}
	}
	return lacking, nil
}

// Inline tells whether a blob travels in a request.
func Inline(blob hosts.Blob) bool { return blob.Secret || blob.Size <= MaxInline }

// Put sends one blob in a request.
func (c *Client) Put(ctx context.Context, blob hosts.Blob) error {
	op := "send blob " + blob.Ref
	if blob.Size > MaxSecret {
		return fmt.Errorf("%s: %d bytes are too many for a request", op, blob.Size)
	}
	data, err := content(blob)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	_, _, err = c.call(ctx, request{op: op, path: pathPut, body: nameOf(blob), content: data, patience: blobPatience})
	return err
}

// Ingest has the agent take a blob from its inbox, where it lies under InboxName.
// An error that is ErrBadContent says that it was not the blob.
func (c *Client) Ingest(ctx context.Context, blob hosts.Blob) error {
	_, _, err := c.call(ctx, request{op: "take blob " + blob.Ref, path: pathIngest, body: nameOf(blob), patience: blobPatience})
	return err
}

// Partial answers how much of a blob Take has brought to the host in an earlier try.
func (c *Client) Partial(ctx context.Context, blob hosts.Blob) (int64, error) {
	partial, err := ask[partialBody](ctx, c, request{op: "look for blob " + blob.Ref, path: pathPartial, body: nameOf(blob), patience: blobPatience})
	return partial.Size, err
}

// Take sends a blob of any size through this session, its content from an offset on, which is what Partial
// answered or 0, and has the agent store it. What came stays on the host where it is cut off. An error that is
// ErrBadContent says that it was not the blob, and that the next try begins at 0.
func (c *Client) Take(ctx context.Context, blob hosts.Blob, offset int64, content io.Reader) error {
	from := &source{in: content}
	_, _, err := c.call(ctx, request{
		op: "send blob " + blob.Ref, path: pathTake, body: takeBody{blobBody: nameOf(blob), Offset: offset}, source: from, patience: blobPatience,
	})
	switch own := from.giveBack(); {
	case own != nil:
		return fmt.Errorf("read blob %s: %w", blob.Ref, own)
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("send blob %s: %w", blob.Ref, ctx.Err()) // the agent knows of an early end alone
	}
	return err
}

// Leave has the agent remove what it was put on the host with, as it will not be needed any more: trees
// with all in them, and then those of the folders, the innermost first, that have nothing in them. The agent goes on
// until it is closed. They are removed at once, so that an error can be told.
func (c *Client) Leave(ctx context.Context, trees, folders []string) error {
	_, _, err := c.call(ctx, request{
		op: "remove the agent", path: pathLeave, body: leaveBody{Trees: trees, Folders: folders}, patience: actionPatience,
	})
	return err
}

// Upload sends in requests what the host lacks. Use it where no blob is large.
func (c *Client) Upload(ctx context.Context, blobs []hosts.Blob, progress func(hosts.Progress)) error {
	lacking, err := c.Lacks(ctx, blobs)
	if err != nil {
		return err
	}
	return c.PutAll(ctx, lacking, NewTally(lacking, progress))
}

// putsAtOnce is how many blobs travel in requests at the same time.
const putsAtOnce = 8

// PutAll sends blobs in requests, and counts each that has arrived.
func (c *Client) PutAll(ctx context.Context, blobs []hosts.Blob, tally *Tally) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(putsAtOnce)
	for _, blob := range blobs {
		group.Go(func() error {
			err := c.Put(ctx, blob)
			if err == nil {
				tally.Add(blob.Size)
			}
			return err
		})
	}
	return group.Wait()
}

func nameOf(blob hosts.Blob) blobBody {
	return blobBody{Ref: blob.Ref, SHA256: blob.SHA256, Size: blob.Size, Secret: blob.Secret}
}

func content(blob hosts.Blob) ([]byte, error) {
	in, err := blob.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, blob.Size+1))
	if err == nil && int64(len(data)) != blob.Size {
		err = fmt.Errorf("its content is not of %d bytes", blob.Size)
	}
	return data, err
}
