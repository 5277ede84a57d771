package tui

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/workflow"
)

func TestEachWorkflowIsSaidInEachLanguage(t *testing.T) {
	for _, w := range workflow.All {
		if text.Chinese.Short(w.Name, w.Short) == w.Short {
			t.Errorf("%s is not said in Chinese", w.Name)
		}
		if got := text.English.Short(w.Name, w.Short); got != w.Short {
			t.Errorf("%s: %s", w.Name, got)
		}
	}
}

// TestLineByLineTheFileIsSaid, and asked for where there are several: the wrong cluster is drained else.
func TestLineByLineTheFileIsSaid(t *testing.T) {
	for _, one := range []struct {
		name, named, files, answers, want string
		asks                              bool
	}{
		{name: "named", named: "b.yaml", files: "a b", answers: "q\n", want: "b.yaml"},
		{name: "the only one", files: "a", answers: "q\n", want: "a.yaml"},
		{name: "none", answers: "q\n", want: "cluster.yaml"},
		{name: "the second", files: "a b", answers: "\n7\n2\nq\n", want: "b.yaml", asks: true},
		{name: "a new one", files: "a cluster", answers: "3\nq\n", want: "cluster-2.yaml", asks: true},
		{name: "left", files: "a b", answers: "q\n", asks: true},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			t.Setenv("XDG_STATE_HOME", t.TempDir())
			for _, file := range strings.Fields(one.files) {
				if err := os.WriteFile(file+".yaml", []byte(fileOnPaper), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			options := onPaper(t, Terminal{}, text.English).options
			options.File = one.named
			var out bytes.Buffer
			if err := RunLinear(t.Context(), options, strings.NewReader(one.answers), &out); err != nil {
				t.Fatal(err)
			}
			said := out.String()
			if want := fmt.Sprintf("The cluster file: %s\n", one.want); one.want != "" && strings.Count(said, want) != 1 || one.want == "" && strings.Contains(said, "The cluster file") {
				t.Errorf("it is about %s, and says:\n%s", one.want, said)
			}
			if asks := strings.Contains(said, "several cluster files"); asks != one.asks {
				t.Errorf("it asks: %t:\n%s", asks, said)
			}
		})
	}
}

// closedHost tells when its connection ends.
type closedHost struct {
	hosts.Host
	closed *bool
}

func (h closedHost) Close() error {
	*h.closed = true
	return h.Host.Close()
}

// TestLineByLineInitComesAlone: what the hosts were looked at with has ended when init connects.
func TestLineByLineInitComesAlone(t *testing.T) {
	closed := false
	s := onPaper(t, Terminal{}, text.English)
	s.options.Probe.Dial = func(context.Context, cluster.Host, func(string)) (hosts.Host, error) {
		return closedHost{hosttest.NewFake("cp-1").Host(), &closed}, nil
	}
	in := installerOnPaper(t, s, fileOnPaper)
	in.probe.Try(t.Context(), in.draft.Hosts[0], nil)
	opened := false
	s.options.Open = func(string, string, workflow.Frontend) (*workflow.Session, error) {
		opened = true
		if !closed {
			t.Error("the connection of before is still open")
		}
		return nil, errors.New("no bundle")
	}
	s.options.Lines = func() workflow.Frontend { return newJob(s.options, func() {}) }
	l := &linear{shared: s, in: bufio.NewReader(strings.NewReader("n\n")), out: &bytes.Buffer{}}
	if _, err := l.carryOut(newFileScreen(in).installs()); err != nil || !opened {
		t.Errorf("it says %v; opened %t", err, opened)
	}
}
