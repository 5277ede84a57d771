package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-k8s/slipway/hosts"
)

// request is what is asked of the agent.
type request struct {
	op       string // the deed and its object, for errors
	kind     kind
	body     any
	data     []byte
	patience time.Duration // without an answer, and without progress
	progress func(hosts.Progress)
	// opened is told the id before the request leaves.
	opened func(id uint64) error
}

// call sends a request and waits for its answer. When ctx is cancelled it says so to the
// agent, and waits for a moment for what that makes of it. A call that is given up stays
// in hand until its answer comes, however late.
func (c *Client) call(ctx context.Context, r request) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", r.op, err)
	}
	if err := c.reserve(ctx, r); err != nil {
		return nil, err
	}
	id, p, err := c.ask(ctx, r)
	if err != nil {
		<-c.places
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() {
		_ = c.send(context.Background(), frame{Kind: kindCancel, ID: id}) // a session that ended answers by itself
	})
	defer stop()
	answer, gaveUp, err := c.await(ctx, r, p)
	if gaveUp {
		c.giveUp(id, r.kind)
	}
	return answer, own(ctx, r.op, err)
}

// giveUp has the host end a call that nobody waits for any longer, and the connection that a
// dial may yet have made.
func (c *Client) giveUp(id uint64, of kind) {
	c.try(frame{Kind: kindCancel, ID: id})
	if of == kindDial {
		c.try(frame{Kind: kindClose, ID: id})
	}
}

// reserve takes a place among the calls in hand.
func (c *Client) reserve(ctx context.Context, r request) error {
	patience := time.NewTimer(r.patience)
	defer patience.Stop()
	select {
	case c.places <- struct{}{}:
		return nil
	case <-c.ended:
		return c.lost(r.op)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", r.op, ctx.Err())
	case <-patience.C:
		return unanswered(ctx, r.op, noAnswer(r.patience))
	}
}

func (c *Client) ask(ctx context.Context, r request) (uint64, *pending, error) {
	f, err := encodeBody(r.kind, 0, r.body)
	if err != nil {
		return 0, nil, err
	}
	f.Data = r.data
	p := &pending{progress: make(chan hosts.Progress, 1), answer: make(chan frame, 1)}
	select {
	case c.sending <- struct{}{}:
		defer func() { <-c.sending }()
	case <-c.ended:
		return 0, nil, c.lost(r.op)
	case <-ctx.Done():
		return 0, nil, fmt.Errorf("%s: %w", r.op, ctx.Err())
	}
	f.ID = c.last + 1
	if r.opened != nil {
		if err := r.opened(f.ID); err != nil {
			return 0, nil, err
		}
	}
	c.calling.Lock()
	c.calls[f.ID] = p
	c.calling.Unlock()
	if err := c.send(ctx, f); err != nil {
		c.calling.Lock()
		delete(c.calls, f.ID)
		c.calling.Unlock()
		if errors.Is(err, errClosed) {
			return 0, nil, c.lost(r.op)
		}
		return 0, nil, fmt.Errorf("%s: %w", r.op, err)
	}
	c.last = f.ID
	return f.ID, p, nil
}

// await waits for the answer for as long as the call moves. gaveUp tells that it was waited for no longer.
func (c *Client) await(ctx context.Context, r request, p *pending) (answer json.RawMessage, gaveUp bool, err error) {
	patience := time.NewTimer(r.patience)
	defer patience.Stop()
	limit := time.NewTimer(callLimit)
	defer limit.Stop()
	cancelled := ctx.Done()
	var last hosts.Progress
	for {
		select {
		case progress := <-p.progress:
			if progress != last && ctx.Err() == nil {
				patience.Reset(r.patience)
			}
			last = progress
			r.report(progress)
		case <-cancelled:
			cancelled = nil
			patience.Reset(cancelPatience)
		case <-patience.C:
			return nil, true, unanswered(ctx, r.op, noAnswer(r.patience))
		case <-limit.C:
			return nil, true, unanswered(ctx, r.op, fmt.Sprintf("it says that it moves, and has not ended in %s", callLimit))
		case came := <-p.answer:
			answer, err = r.conclude(p, came)
			return answer, false, err
		case <-c.ended:
			select {
			case came := <-p.answer:
				answer, err = r.conclude(p, came)
				return answer, false, err
			default:
				return nil, false, c.lost(r.op)
			}
		}
	}
}

func (r request) report(p hosts.Progress) {
	if r.progress != nil {
		r.progress(p)
	}
}

// conclude reports the last progress, if it was not yet, and opens the answer.
func (r request) conclude(p *pending, answer frame) (json.RawMessage, error) {
	select {
	case progress := <-p.progress:
		r.report(progress)
	default:
	}
	return open(answer)
}

// open gives what is in an answer.
func open(f frame) (json.RawMessage, error) {
	if f.Kind == kindDone {
		return f.Body, nil
	}
	w, err := decodeBody[wireError](f)
	if err != nil {
		return nil, err
	}
	return nil, decodeError(&w)
}

// lost is what a request fails with when the session ends under it.
func (c *Client) lost(op string) error {
	<-c.ended
	return lost(op, c.why())
}

// Observe is that of the agent's host.
func (c *Client) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	facts, err := ask[hosts.Facts](ctx, c, request{op: "observe", kind: kindObserve, body: query, patience: observePatience})
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
		op: hosts.Describe(action).Deed, kind: kindDo, body: json.RawMessage(encoded), progress: progress, patience: patienceFor(action),
	})
	outcome.Detail = quoted(outcome.Detail)
	return outcome, err
}

// Dial connects from the agent's host; the connection's bytes travel in frames.
func (c *Client) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	op := "connect to " + address
	var st *stream
	_, err := c.call(ctx, request{
		op: op, kind: kindDial, body: dialBody{Network: network, Address: address}, patience: dialPatience,
		opened: func(id uint64) error {
			st = newStream(id, c.session, network, address)
			return c.streams.add(st)
		},
	})
	if err != nil {
		if st != nil {
			c.streams.remove(st.id)
		}
		return nil, err
	}
	return st, nil
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
	has, err := ask[haveBody](ctx, c, request{op: "ask for blobs", kind: kindHave, body: haveBody{Refs: refs}, patience: blobPatience})
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

// Inline tells whether a blob travels in a frame.
func Inline(blob hosts.Blob) bool { return blob.Secret || blob.Size <= MaxInline }

// Put sends one blob in a frame.
func (c *Client) Put(ctx context.Context, blob hosts.Blob) error {
	op := "send blob " + blob.Ref
	if blob.Size > MaxSecret {
		return fmt.Errorf("%s: %d bytes are too many for a frame", op, blob.Size)
	}
	data, err := content(blob)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	_, err = c.call(ctx, request{op: op, kind: kindPut, body: nameOf(blob), data: data, patience: blobPatience})
	return err
}

// Ingest has the agent take a blob from its inbox, where it lies under InboxName.
// An error that is ErrBadContent says that it was not the blob.
func (c *Client) Ingest(ctx context.Context, blob hosts.Blob) error {
	_, err := c.call(ctx, request{op: "take blob " + blob.Ref, kind: kindIngest, body: nameOf(blob), patience: blobPatience})
	return err
}

// Upload sends in frames what the host lacks. Use it where no blob is large.
func (c *Client) Upload(ctx context.Context, blobs []hosts.Blob, progress func(hosts.Progress)) error {
	lacking, err := c.Lacks(ctx, blobs)
	if err != nil {
		return err
	}
	return c.PutAll(ctx, lacking, NewTally(lacking, progress))
}

// putsAtOnce is how many blobs travel in frames at the same time.
const putsAtOnce = 8

// PutAll sends blobs in frames, and counts each that has arrived.
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

// ask makes a call whose answer is an A.
func ask[A any](ctx context.Context, c *Client, r request) (A, error) {
	var answer A
	body, err := c.call(ctx, r)
	if err != nil {
		return answer, err
	}
	switch err := c.decode(ctx, body, &answer); {
	case err == nil:
		return answer, nil
	case errors.Is(err, errOver):
		return answer, c.lost(r.op)
	case errors.Is(err, errNoRoom):
		return answer, &hosts.Error{Kind: hosts.KindBroken, Op: r.op, Err: fmt.Errorf("read the answer: %w", err), Fix: fixNoRoom}
	default:
		return answer, fmt.Errorf("%s: read the answer: %w", r.op, err)
	}
}
