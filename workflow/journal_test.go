package workflow

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// logging is a session whose hosts are this one, with a journal of its kubelet.
func logging(t *testing.T, lines ...string) (*Session, *hosttest.Fake) {
	t.Helper()
	machine := hosttest.NewFake("cp-1")
	machine.Log("kubelet.service", lines...)
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	s.Dial = func(context.Context, cluster.Host, func(string)) (hosts.Host, error) { return machine.Host(), nil }
	return s, machine
}

// TestAJournalIsReadByCleanLines: none of them steers a terminal, or is without end.
func TestAJournalIsReadByCleanLines(t *testing.T) {
	s, _ := logging(t, "zero", "one\x1b[2J", strings.Repeat("x", 3*mostOfJournalLine), "\tthree", "")
	clear(s.hosts)
	var got []string
	if err := s.Journal(t.Context(), "cp-1", "kubelet", 4, false, func(line string) { got = append(got, line) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 4 || got[0] != `one\u001b[2J` || !strings.Contains(got[1], "characters left out") || len(got[1]) > 2*hosts.MaxLine || !slices.Equal(got[2:], []string{" three", ""}) {
		t.Errorf("%.80q", got)
	}
	if len(s.hosts) > 0 {
		t.Errorf("the session has %v", s.hosts)
	}
}

// TestAJournalIsFollowedUntilTheContextEnds.
func TestAJournalIsFollowedUntilTheContextEnds(t *testing.T) {
	s, machine := logging(t, "one")
	ctx, stop := context.WithCancel(t.Context())
	var got []string
	err := s.Journal(ctx, "cp-1", "kubelet.service", 10, true, func(line string) {
		got = append(got, line)
		if line == "two" {
			stop()
			return
		}
		machine.Log("kubelet.service", "two")
	})
	if !errors.Is(err, context.Canceled) || !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// ending is a host whose journals end so.
type ending struct {
	hosts.Host
	with error
}

func (e ending) Journal(context.Context, string, int, bool) (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader("one\n"), broken{e.with})), nil
}

func (e ending) Observe(context.Context, hosts.Query) (hosts.Facts, error) { return hosts.Facts{}, nil }

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// TestAJournalThatEndsWhileItIsFollowedIsAnError that names the host, and what was read of it.
func TestAJournalThatEndsWhileItIsFollowedIsAnError(t *testing.T) {
	cut := &hosts.Error{Kind: hosts.KindCut, Op: "read the journal of kubelet.service", Err: errors.New("the connection was lost"), Fix: "again"}
	for name, test := range map[string]struct {
		with   error
		follow bool
		want   string // empty: none
	}{
		"the host dies":         {cut, true, "read the journal of kubelet.service on cp-1: the connection was lost"},
		"journalctl ends":       {io.EOF, true, "read the journal of kubelet.service on cp-1: it has ended: journalctl does not run any more"},
		"it is read":            {io.EOF, false, ""},
		"the host dies earlier": {cut, false, "read the journal of kubelet.service on cp-1: the connection was lost"},
	} {
		t.Run(name, func(t *testing.T) {
			s, machine := logging(t, "one")
			s.Dial = func(context.Context, cluster.Host, func(string)) (hosts.Host, error) {
				return ending{machine.Host(), test.with}, nil
			}
			var got []string
			err := s.Journal(t.Context(), "cp-1", "kubelet", 10, test.follow, func(line string) { got = append(got, line) })
			if !slices.Equal(got[max(0, len(got)-1):], []string{"one"}) {
				t.Errorf("%q", got)
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != test.want) {
				t.Errorf("it ends with %v", err)
			}
			if known, is := errors.AsType[*hosts.Error](err); is && (known.Host != "cp-1" || test.with == cut && known.Fix != cut.Fix) || cut.Host != "" {
				t.Errorf("%+v", known)
			}
		})
	}
}

// TestWhatHasNoJournalIsRefused: mistakes of the user's, before a host is reached; a unit that is not there; a
// host that does not answer.
func TestWhatHasNoJournalIsRefused(t *testing.T) {
	s, _ := logging(t, "one")
	for _, wrong := range []struct {
		host, unit string
		lines      int
	}{{"cp-9", "kubelet", 1}, {"cp-1", "", 1}, {"cp-1", "a b", 1}, {"cp-1", "kubelet", -1}} {
		err := s.Journal(t.Context(), wrong.host, wrong.unit, wrong.lines, false, nil)
		if _, is := errors.AsType[*UsageError](err); !is {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	err := s.Journal(t.Context(), "cp-1", "kubelt", 1, true, nil)
	if known, is := errors.AsType[*hosts.Error](err); !is || known.Host != "cp-1" || !strings.Contains(known.Fix, "kubelet.service") {
		t.Errorf("it ends with %v", err)
	}
	down := errors.New("no route to host")
	s.Dial = func(context.Context, cluster.Host, func(string)) (hosts.Host, error) { return nil, down }
	if err := s.Journal(t.Context(), "cp-1", "kubelet", 1, true, nil); !errors.Is(err, down) {
		t.Errorf("it ends with %v", err)
	}
}
