package agent_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
)

// logged is a journal on the host that counts what was read of it.
type logged struct {
	io.Reader
	sent   atomic.Int64
	closed chan struct{}
}

func newLogged(from io.Reader) *logged { return &logged{Reader: from, closed: make(chan struct{}, 1)} }

func (l *logged) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	l.sent.Add(int64(n))
	return n, err
}

func (l *logged) Close() error {
	l.closed <- struct{}{} // a second time nobody would take it
	if closer, ok := l.Reader.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// endless is a journal that always has more.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	return copy(p, strings.Repeat("a line of a unit that says much\n", 1<<10)), nil
}

// follows opens a journal through an agent.
func follows(t *testing.T, l *logged) (io.ReadCloser, *agent.Client, *wire) {
	t.Helper()
	client, w := connect(t, stub{
		journal: func(context.Context) (io.ReadCloser, error) { return l, nil },
		observe: func(context.Context) (hosts.Facts, error) { return hosts.Facts{Hostname: "cp-1"}, nil },
	})
	journal, err := client.Journal(t.Context(), "kubelet.service", 10, true)
	if err != nil {
		t.Fatal(err)
	}
	return journal, client, w
}

// TestAJournalThatNobodyReadsIsHeldBack, and no other call waits for it.
func TestAJournalThatNobodyReadsIsHeldBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLogged(endless{})
		journal, client, w := follows(t, l)
		synctest.Wait()
		if sent := l.sent.Load(); sent < 256<<10 || sent > 1<<20 {
			t.Errorf("%d bytes are under way to a reader that does not read", sent)
		}
		if facts, err := client.Observe(t.Context(), hosts.Query{}); err != nil || facts.Hostname != "cp-1" {
			t.Errorf("the session stands still: %v", err)
		}
		if n, err := io.CopyN(io.Discard, journal, 8<<20); err != nil {
			t.Errorf("after %d bytes: %v", n, err)
		}
		_ = journal.Close()
		<-l.closed
		finish(t, client, w)
	})
}

// TestAClosedJournalIsClosedOnTheHost, and its reader is told.
func TestAClosedJournalIsClosedOnTheHost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in, _ := io.Pipe() // a unit that says nothing
		l := newLogged(in)
		journal, client, w := follows(t, l)
		ended := make(chan error, 1)
		go func() {
			_, err := journal.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		_ = journal.Close()
		<-l.closed
		if err := <-ended; err == nil {
			t.Error("a closed journal is read")
		}
		finish(t, client, w)
	})
}

// TestAJournalOfALostHostEndsWithTheReason, at both ends.
func TestAJournalOfALostHostEndsWithTheReason(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in, _ := io.Pipe()
		l := newLogged(in)
		journal, _, w := follows(t, l)
		_ = w.in.Close() // the operator's end hears nothing more
		_, err := io.ReadAll(journal)
		if known, is := errors.AsType[*hosts.Error](err); !is || known.Kind != hosts.KindCut || !strings.Contains(known.Op, "kubelet.service") {
			t.Errorf("the journal ends with %v", err)
		}
		<-l.closed
		_ = journal.Close()
		<-w.served
	})
}

// failing is a reader that ends with an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestAJournalThatFailsSaysWhy, when what came before was read; its text is a host's, and cleaned.
func TestAJournalThatFailsSaysWhy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		failed := &hosts.Error{Kind: hosts.KindBroken, Op: "run journalctl", Err: errors.New("No journal\x7f files größer\x1b[2J")}
		journal, client, w := follows(t, newLogged(io.MultiReader(strings.NewReader("one\n"), failing{failed})))
		got, err := io.ReadAll(journal)
		known, is := errors.AsType[*hosts.Error](err)
		if string(got) != "one\n" || !is || known.Op != failed.Op || known.Err.Error() != `No journal\u007f files größer\u001b[2J` {
			t.Errorf("%q, %v", got, err)
		}
		_ = journal.Close()
		finish(t, client, w)
	})
}

// TestAJournalThatOpensTooLateIsClosed.
func TestAJournalThatOpensTooLateIsClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		open, l := make(chan struct{}), newLogged(endless{})
		client, w := connect(t, stub{journal: func(context.Context) (io.ReadCloser, error) {
			<-open
			return l, nil
		}})
		ctx, giveUp := context.WithCancel(t.Context())
		giveUp()
		if _, err := client.Journal(ctx, "kubelet.service", 1, true); !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with %v", err)
		}
		ctx, giveUp = context.WithCancel(t.Context())
		go func() {
			synctest.Wait()
			giveUp()
		}()
		if _, err := client.Journal(ctx, "kubelet.service", 1, true); !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with %v", err)
		}
		synctest.Wait()
		close(open)
		<-l.closed
		finish(t, client, w)
	})
}
