package agent

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// ServeOptions say how to serve.
type ServeOptions struct {
	Version string    // Slipway's
	Inbox   string    // the folder that large blobs are put into; empty: none are taken
	Parts   string    // the agent's own folder, where it puts together what comes through it; empty: nothing does
	Log     io.Writer // gets what else goes wrong, a line for each; nil: nobody
	Life    Life
	// Grace is how long an action in hand may go on once the operator is gone, before it
	// is cancelled: one minute if zero.
	Grace time.Duration
}

// Serve serves the host until in ends or the operator falls silent; then it lets the
// actions in hand come to their end and returns. Once ctx is done, they end at their next
// safe point, and the operator is told that the agent was stopped: it is not the
// operator's own interrupt. Serve closes neither the host nor the streams: a Read of in may
// still be under way. An end of in is no error.
func Serve(ctx context.Context, host hosts.Host, in io.Reader, out io.Writer, opts ServeOptions) error {
	if err := http2On("http2server"); err != nil {
		return err
	}
	if opts.Grace == 0 {
		opts.Grace = time.Minute
	}
	s := newServer(host, in, out, opts)
	defer s.stopQuick()
	defer s.link.seal()
	defer s.link.end(errClosed)
	go s.link.watch()
	web := s.web()
	go s.listen(web)
	cause := s.untilOver(ctx)
	if !s.wind(ctx, opts.Grace) {
		return errStuck
	}
	if s.link.over() {
		_ = web.Close()
	} else { // what was answered last goes out
		bounded, cancel := context.WithTimeout(context.Background(), s.link.life.Silence)
		defer cancel()
		_ = web.Shutdown(bounded)
	}
	if !errors.Is(cause, io.EOF) {
		return fmt.Errorf("serve the agent: %w", cause)
	}
	return nil
}

// server is the agent's end of a session.
type server struct {
	link   *link
	in     *bufio.Reader // of the link
	host   hosts.Host
	opts   ServeOptions
	log    *log.Logger
	broken chan error // the operator's first breach of the protocol

	quick       context.Context // of all but actions: over as soon as the operator is gone
	stopQuick   context.CancelFunc
	patient     context.Context // of actions
	stopPatient context.CancelFunc

	places  chan struct{} // one for each call that may be at work
	mutex   sync.Mutex
	winding bool // nothing new is begun
	hands   sync.WaitGroup
}

func newServer(host hosts.Host, in io.Reader, out io.Writer, opts ServeOptions) *server {
	reader := bufio.NewReaderSize(in, maxHello)
	s := &server{
		link: newLink(reader, out, opts.Life), in: reader, host: host, opts: opts,
		log:    log.New(cmp.Or[io.Writer](opts.Log, io.Discard), "", 0),
		broken: make(chan error, 1), places: make(chan struct{}, maxCalls),
	}
	s.quick, s.stopQuick = context.WithCancel(context.Background())
	s.patient, s.stopPatient = context.WithCancel(context.Background())
	return s
}

func (s *server) web() *http.Server {
	protocols, config := s.link.life.http2()
	config.MaxReadFrameSize = 16 << 10 // for each request, the operator keeps a buffer of this size
	return &http.Server{Handler: s, Protocols: protocols, HTTP2: config, MaxHeaderBytes: maxHeader, ErrorLog: s.log}
}

// listen greets the operator, and then takes requests.
func (s *server) listen(web *http.Server) {
	err := writeHello(s.link, s.opts.Version)
	if err == nil {
		err = readHello(s.in, s.opts.Version)
	}
	if err != nil {
		s.link.end(err)
		return
	}
	_ = web.Serve(&oneLink{link: s.link}) // its end is the link's
}

// untilOver waits for the session's end and tells why it came.
func (s *server) untilOver(ctx context.Context) error {
	select {
	case <-s.link.ended:
		return s.link.why()
	case err := <-s.broken:
		return err
	case <-ctx.Done():
		return errStopped
	}
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

// ServeHTTP serves one call.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, out := newLineReader(r.Body, maxRequest, nil), newAnswers(w)
	defer func() {
		if v := recover(); v != nil {
			out.end(nil, s.fault(r.URL.Path, v))
		}
	}()
	c, err := s.prepare(r.URL.Path, in)
	if err != nil {
		s.refuse(r.Context(), out, err)
		return
	}
	base := s.quick
	if c.patient {
		base = s.patient
	}
	ctx, cancel := context.WithCancel(base)
	c.end = cancel
	// What is broken off is cancelled; but where the operator is gone, wind decides.
	defer context.AfterFunc(r.Context(), func() {
		if !s.link.over() {
			cancel()
		}
	})()
	if c.follow == nil {
		go func() {
			if c.taken != nil {
				select {
				case <-c.taken:
				case <-ctx.Done():
					return
				}
			}
			if _, err := io.Copy(io.Discard, in); err == nil { // its end cancels the call
				cancel()
			}
		}()
	}
	if c.drop != nil {
		defer c.drop()
	}
	answer, err := s.carryOut(ctx, r, c, out)
	if base.Err() != nil {
		err = stopped(err)
	}
	out.end(answer, err)
	if c.follow != nil && err == nil {
		c.follow(r.Context(), in, w)
	}
}

// refuse ends the session because of a breach. A call that was broken off before it was whole
// is none.
func (s *server) refuse(ctx context.Context, out *answers, err error) {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = breach("a call ends early: %v", err)
	}
	if known := new(protocolError); ctx.Err() != nil || !errors.As(err, &known) {
		return
	}
	out.end(nil, err)
	select {
	case s.broken <- err:
	default:
	}
}

// outcome is what a call came to.
type outcome struct {
	answer any
	err    error
}

// carryOut runs a call in a goroutine of its own and tells its progress meanwhile. It returns once
// the request is over: what does not end by then keeps its place among those at work.
func (s *server) carryOut(ctx context.Context, r *http.Request, c call, out *answers) (any, error) {
	progress, ended := make(chan hosts.Progress, 1), make(chan outcome, 1)
	run := func() {
		o := s.attempt(ctx, r.URL.Path, c, thinned(progress))
		<-s.places // before the answer: who has it may ask again
		ended <- o
	}
	if err := s.begin(r.Context(), run); err != nil {
		c.end()
		return nil, err
	}
	for {
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case p := <-progress:
			out.progress(p)
		case o := <-ended:
			select {
			case p := <-progress:
				out.progress(p)
			default:
			}
			return o.answer, o.err
		}
	}
}

// begin has run at work as soon as there is a place, unless the request or the session is over.
func (s *server) begin(ctx context.Context, run func()) error {
	select {
	case s.places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.winding {
		<-s.places
		return errStopped
	}
	s.hands.Go(run)
	return nil
}

// attempt runs a call to its end, be it a panic.
func (s *server) attempt(ctx context.Context, path string, c call, progress func(hosts.Progress)) (o outcome) {
	defer c.end()
	defer func() {
		if v := recover(); v != nil {
			o.err = s.fault(path, v)
		}
	}()
	o.answer, o.err = c.run(ctx, progress)
	return o
}

// progressInterval is how often a call's progress is worth a line.
const progressInterval = 100 * time.Millisecond

// thinned reports a call's progress, thinned out, without ever holding it up.
func thinned(to chan hosts.Progress) func(hosts.Progress) {
	var last time.Time
	var note string
	return func(p hosts.Progress) {
		final := p.Total > 0 && p.Done >= p.Total
		if time.Since(last) < progressInterval && p.Note == note && !final {
			return
		}
		last, note = time.Now(), p.Note
		latest(to, p)
	}
}

// call is what a request asks for.
type call struct {
	run     func(ctx context.Context, progress func(hosts.Progress)) (any, error)
	patient bool // it goes on to its end when the operator is gone
	end     context.CancelFunc
	// taken is closed once run has read what comes behind the question; nil: it reads nothing.
	taken chan struct{}
	// follow carries what comes behind the question and the answer.
	follow func(ctx context.Context, in io.Reader, out http.ResponseWriter)
	// drop lets go of what run has opened, or still opens, when the request is over; nil where it opens nothing.
	drop func()
}

// prepare reads what is asked; the error is a breach of the protocol.
func (s *server) prepare(path string, in *lineReader) (c call, err error) {
	switch path {
	case pathObserve:
		var query hosts.Query
		err = in.decode(&query)
		c.run = func(ctx context.Context, progress func(hosts.Progress)) (any, error) {
			return s.host.Observe(hosts.Telling(ctx, progress), query)
		}
	case pathDo:
		return s.prepareDo(in)
	case pathHave:
		var body haveBody
		err = in.decode(&body)
		c.run = func(ctx context.Context, _ func(hosts.Progress)) (any, error) { return s.have(ctx, body.Refs) }
	case pathPut:
		return s.preparePut(in)
	case pathIngest:
		var body blobBody
		err = in.decode(&body)
		c.run = func(ctx context.Context, progress func(hosts.Progress)) (any, error) {
			return nil, s.ingest(ctx, body, progress)
		}
	case pathDial:
		var body dialBody
		err = in.decode(&body)
		return s.prepareDial(body), err
	case pathJournal:
		var body journalBody
		err = in.decode(&body)
		return s.prepareJournal(body), err
	case pathPartial:
		var body blobBody
		err = in.decode(&body)
		c.run = func(context.Context, func(hosts.Progress)) (any, error) { return s.partial(body) }
	case pathTake:
		return s.prepareTake(in)
	case pathLeave:
		var body leaveBody
		err = in.decode(&body)
		c.run = func(context.Context, func(hosts.Progress)) (any, error) { return nil, body.leave() }
	default:
		err = breach("the operator asks for %q", path)
	}
	return c, err
}

func (s *server) prepareDo(in *lineReader) (call, error) {
	var raw json.RawMessage
	if err := in.decode(&raw); err != nil {
		return call{}, err
	}
	action, err := hosts.DecodeAction(raw)
	if err != nil {
		return call{}, breach("malformed action: %v", err)
	}
	return call{patient: true, run: func(ctx context.Context, progress func(hosts.Progress)) (any, error) {
		return s.host.Do(ctx, action, progress)
	}}, nil
}

func (s *server) preparePut(in *lineReader) (call, error) {
	var body blobBody
	if err := in.decode(&body); err != nil {
		return call{}, err
	}
	if body.Size < 0 || body.Size > MaxSecret {
		return call{}, breach("a blob of %d bytes", body.Size)
	}
	data := make([]byte, body.Size)
	if _, err := io.ReadFull(in, data); errors.Is(err, io.EOF) {
		return call{}, io.ErrUnexpectedEOF
	} else if err != nil {
		return call{}, err
	}
	return call{run: func(ctx context.Context, progress func(hosts.Progress)) (any, error) {
		return nil, s.put(ctx, body, data, progress)
	}}, nil
}

func (s *server) have(ctx context.Context, refs []string) (haveBody, error) {
	store, ok := s.host.(BlobStore)
	if !ok {
		return haveBody{}, nil
	}
	has, err := store.Has(ctx, refs)
	return haveBody{Refs: has}, err
}

// answers writes the lines of one call's answer. Where the operator is gone, nobody is there
// who could be told of an error.
type answers struct {
	out   http.ResponseWriter
	flush func() error
	ended bool
}

func newAnswers(w http.ResponseWriter) *answers {
	return &answers{out: w, flush: http.NewResponseController(w).Flush}
}

func (a *answers) progress(p hosts.Progress) { a.write(answerLine{Progress: &p}) }

// end answers. Where that was done, or is not wanted, it breaks the call off.
func (a *answers) end(body any, err error) {
	if a.ended || errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	a.ended = true
	var done json.RawMessage
	if err == nil {
		done, err = json.Marshal(body)
	}
	if err == nil && len(done) > maxAnswer-1024 {
		err = fmt.Errorf("the answer has %d bytes, more than a line may", len(done))
	}
	if err != nil {
		a.write(answerLine{Failed: encodeError(err)})
		return
	}
	a.write(answerLine{Done: done})
}

func (a *answers) write(line answerLine) {
	if encoded, err := encodeLine(line); err == nil {
		_, _ = a.out.Write(encoded)
		_ = a.flush()
	}
}
