package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// ServeOptions say how to serve.
type ServeOptions struct {
	Version string // Slipway's
	Inbox   string // the folder that large blobs are put into; empty: none are taken
	Life    Life
	// Grace is how long an action in hand may go on once the operator is gone, before it
	// is cancelled: one minute if zero.
	Grace time.Duration
}

// Serve serves the host until in ends or the operator falls silent; then it lets the
// actions in hand come to their end and returns. Once ctx is done, they end at their next
// safe point, and the operator is told that the agent was stopped: it is not the
// operator's own interrupt. Serve closes neither the host nor the streams: a Read of in may still be under
// way. An end of in is no error.
func Serve(ctx context.Context, host hosts.Host, in io.Reader, out io.Writer, opts ServeOptions) error {
	if opts.Grace == 0 {
		opts.Grace = time.Minute
	}
	s := newServer(host, in, opts)
	defer s.stopQuick()
	defer s.silence()
	stopBeat := make(chan struct{})
	defer close(stopBeat)
	go s.write(out)
	if err := s.greet(ctx); err != nil {
		return err
	}
	go s.read()
	go s.beat(stopBeat)
	select {
	case <-s.ended:
	case <-ctx.Done():
		s.end(errStopped)
	}
	if !s.wind(ctx, opts.Grace) {
		return errStuck
	}
	s.finishWriting()
	if cause := s.why(); !errors.Is(cause, io.EOF) {
		return fmt.Errorf("serve the agent: %w", cause)
	}
	return nil
}

// server is the agent's end of a session.
type server struct {
	*session
	host    hosts.Host
	opts    ServeOptions
	greeted bool

	quick       context.Context // of all but actions: over as soon as the operator is gone
	stopQuick   context.CancelFunc
	patient     context.Context // of actions
	stopPatient context.CancelFunc

	mutex   sync.Mutex
	calls   map[uint64]context.CancelFunc
	last    uint64 // id
	winding bool   // nothing new is begun
	hands   sync.WaitGroup
}

func newServer(host hosts.Host, in io.Reader, opts ServeOptions) *server {
	s := &server{
		session: newSession(in, maxRequestFrame, opts.Life),
		host:    host,
		opts:    opts,
		calls:   map[uint64]context.CancelFunc{},
	}
	s.handle = s.request
	s.quick, s.stopQuick = context.WithCancel(context.Background())
	s.patient, s.stopPatient = context.WithCancel(context.Background())
	return s
}

func (s *server) greet(ctx context.Context) error {
	hello, err := encodeBody(kindHello, 0, Hello{
		Protocol: Protocol, Version: s.opts.Version,
		OS: runtime.GOOS, Arch: runtime.GOARCH,
	})
	if err != nil {
		return err
	}
	return s.send(ctx, hello)
}

// errStuck is why an agent ends with something in hand. Its process ends with it: nothing
// of it goes on once the kernel lets it go.
var errStuck = errors.New("serve the agent: what is in hand does not end; it is left to the kernel")

// wind ends what is in hand: reads and uploads at once, actions when they are through,
// or at their next safe point once the grace or ctx is over. It answers false where
// something did not end by then.
func (s *server) wind(ctx context.Context, grace time.Duration) bool {
	s.mutex.Lock()
	s.winding = true
	s.mutex.Unlock()
	s.stopQuick()
	through := make(chan struct{})
	go func() {
		s.hands.Wait()
		close(through)
	}()
	timeout := time.NewTimer(grace)
	defer timeout.Stop()
	defer s.stopPatient()
	select {
	case <-through:
		return true
	case <-timeout.C:
	case <-ctx.Done():
	}
	s.stopPatient()
	timeout.Reset(windPatience)
	select {
	case <-through:
		return true
	case <-timeout.C:
		return false
	}
}

// request takes one frame from the operator. What it returns ends the session.
func (s *server) request(f frame) error {
	if !s.greeted {
		return s.meet(f)
	}
	switch f.Kind {
	case kindObserve, kindDo, kindHave, kindPut, kindIngest, kindDial:
		return s.begin(f)
	case kindCancel:
		s.mutex.Lock()
		defer s.mutex.Unlock()
		if cancel := s.calls[f.ID]; cancel != nil {
			cancel()
		}
		return nil
	default:
		return breach("the operator sent a frame of kind %q", f.Kind)
	}
}

func (s *server) meet(f frame) error {
	if f.Kind != kindHello {
		return breach("the first frame is %q and not hello", f.Kind)
	}
	hello, err := decodeHello(f)
	if err != nil {
		return err
	}
	if err := compare(hello, s.opts.Version); err != nil {
		if f, bad := encodeBody(kindBye, 0, byeBody{Error: encodeError(err)}); bad == nil {
			s.try(f)
		}
		return err
	}
	s.greeted = true
	return nil
}

// begin starts a request in a goroutine of its own.
func (s *server) begin(f frame) error {
	base := s.quick
	if f.Kind == kindDo {
		base = s.patient
	}
	ctx, cancel := context.WithCancel(base)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.winding:
		cancel()
		return errClosed
	case f.ID <= s.last:
		cancel()
		return breach("request %d comes after request %d", f.ID, s.last)
	case len(s.calls) >= maxCalls:
		cancel()
		return breach("more than %d requests at once", maxCalls)
	}
	run, err := s.prepare(f)
	if err != nil {
		cancel()
		return err
	}
	s.last = f.ID
	s.calls[f.ID] = cancel
	s.hands.Add(1)
	go func() {
		defer s.hands.Done()
		answer, err := run(ctx)
		if base.Err() != nil {
			err = stopped(err)
		}
		s.mutex.Lock()
		delete(s.calls, f.ID)
		s.mutex.Unlock()
		cancel()
		s.answer(f.ID, answer, err)
	}()
	return nil
}

func (s *server) answer(id uint64, body any, err error) {
	if err == nil {
		var f frame
		if f, err = encodeBody(kindDone, id, body); err == nil && len(f.Body) > maxAnswerFrame-1024 {
			err = fmt.Errorf("the answer has %d bytes, more than a frame may", len(f.Body))
		}
		if err == nil {
			_ = s.send(context.Background(), f) // nobody is there who could be told otherwise
			return
		}
	}
	if f, bad := encodeBody(kindFailed, id, encodeError(err)); bad == nil {
		_ = s.send(context.Background(), f)
	}
}

type call func(ctx context.Context) (any, error)

// prepare decodes a request; the error is a breach of the protocol.
func (s *server) prepare(f frame) (call, error) {
	switch f.Kind {
	case kindObserve:
		query, err := decodeBody[hosts.Query](f)
		return func(ctx context.Context) (any, error) {
			return s.host.Observe(hosts.Telling(ctx, s.progress(f.ID)), query)
		}, err
	case kindDo:
		return s.prepareDo(f)
	case kindHave:
		body, err := decodeBody[haveBody](f)
		return func(ctx context.Context) (any, error) { return s.have(ctx, body.Refs) }, err
	case kindPut:
		body, err := decodeBody[blobBody](f)
		return func(ctx context.Context) (any, error) { return nil, s.put(ctx, body, f.Data, s.progress(f.ID)) }, err
	case kindIngest:
		body, err := decodeBody[blobBody](f)
		return func(ctx context.Context) (any, error) { return nil, s.ingest(ctx, body, s.progress(f.ID)) }, err
	default:
		body, err := decodeBody[dialBody](f)
		s.streams.expect(f.ID)
		return func(ctx context.Context) (any, error) { return nil, s.dial(ctx, f.ID, body) }, err
	}
}

func (s *server) prepareDo(f frame) (call, error) {
	raw, err := rawBody(f)
	if err != nil {
		return nil, err
	}
	action, err := hosts.DecodeAction(raw)
	if err != nil {
		return nil, breach("malformed do: %v", err)
	}
	return func(ctx context.Context) (any, error) {
		return s.host.Do(ctx, action, s.progress(f.ID))
	}, nil
}

// progressInterval is how often a request's progress is worth a frame.
const progressInterval = 100 * time.Millisecond

// progress reports a request's progress, thinned out, without ever holding it up.
func (s *server) progress(id uint64) func(hosts.Progress) {
	var last time.Time
	var note string
	return func(p hosts.Progress) {
		final := p.Total > 0 && p.Done >= p.Total
		if time.Since(last) < progressInterval && p.Note == note && !final {
			return
		}
		last, note = time.Now(), p.Note
		if f, err := encodeBody(kindProgress, id, p); err == nil {
			s.try(f)
		}
	}
}

func (s *server) have(ctx context.Context, refs []string) (haveBody, error) {
	store, ok := s.host.(BlobStore)
	if !ok {
		return haveBody{}, nil
	}
	has, err := store.Has(ctx, refs)
	return haveBody{Refs: has}, err
}

func decodeHello(f frame) (Hello, error) {
	var hello Hello
	if err := json.Unmarshal(f.Body, &hello); err != nil { // not strict: it may be from another version
		return Hello{}, breach("malformed hello: %v", err)
	}
	hello.Version = hosts.CleanLine(hello.Version) // the other end's text, and shown
	return hello, nil
}

// compare refuses an end of another protocol or another Slipway.
func compare(other Hello, version string) error {
	if other.Protocol == Protocol && other.Version == version {
		return nil
	}
	return &hosts.Error{
		Kind: hosts.KindVersion,
		Op:   "talk to the agent",
		Err: fmt.Errorf("one end is slipway %s (protocol %d), the other %s (protocol %d)",
			version, Protocol, other.Version, other.Protocol),
		Fix: "use one version of slipway, and a bundle that was built with it",
	}
}
