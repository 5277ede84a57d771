package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

func (t *trial) cancels() {
	blob := t.upload(hosttest.Content([]byte("late")))
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	if _, err := t.host.Do(ctx, t.write("file", blob, 0o600), nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled action ends with %v", err)
	}
	t.wantNothing("file")
	if _, err := t.host.Observe(ctx, hosts.Query{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled observation ends with %v", err)
	}
	t.do(t.write("file", blob, 0o600), hosts.Changed)
}

func (t *trial) servesManyAtOnce() {
	const many = 20
	var wait sync.WaitGroup
	errs := make(chan error, 3*many)
	for i := range many {
		wait.Go(func() {
			blob := hosttest.Content(fmt.Appendf(nil, "file %d", i))
			errs <- t.host.Upload(t.ctx, []hosts.Blob{blob}, nil)
			_, err := t.host.Do(t.ctx, t.write(fmt.Sprintf("many/%d", i), blob, 0o600), nil)
			errs <- err
			_, err = t.host.Observe(t.ctx, hosts.Query{Trees: []string{t.path("many")}})
			errs <- err
		})
	}
	wait.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	for i := range many {
		t.wantFile(fmt.Sprintf("many/%d", i), fmt.Sprintf("file %d", i), 0o600)
	}
}

func (t *trial) closes() {
	if err := t.host.Close(); err != nil {
		t.Fatal(err)
	}
	t.fails(t.host, hosts.MakeDirectory{Path: t.path("late"), Mode: 0o755})
	if _, err := t.host.Observe(t.ctx, hosts.Query{}); err == nil {
		t.Error("a closed host is observed")
	}
	if err := t.host.Upload(t.ctx, []hosts.Blob{hosttest.Content([]byte("late"))}, nil); err == nil {
		t.Error("a closed host takes blobs")
	}
	if journal, err := t.host.Journal(t.ctx, "kubelet.service", 1, false); err == nil {
		_ = journal.Close()
		t.Error("a closed host reads a journal")
	}
	if err := t.host.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func (t *trial) runsCommands() {
	for _, one := range []struct {
		argv []string
		want hosts.CommandOutput
	}{
		{[]string{"echo", "a  b", "$HOME;c"}, hosts.CommandOutput{Stdout: "a  b $HOME;c\n"}},
		{[]string{"false"}, hosts.CommandOutput{Code: 1}},
	} {
		outcome, err := t.host.Do(t.ctx, hosts.RunCommand{Argv: one.argv, Timeout: 30}, nil)
		if err != nil || outcome.Output == nil || *outcome.Output != one.want {
			t.Errorf("%q gives %+v, %v; want %+v", one.argv, outcome.Output, err, one.want)
		}
	}
	t.fails(t.host, hosts.RunCommand{Argv: []string{"no-such-program"}, Timeout: 30})
	t.fails(t.host, hosts.RunCommand{Timeout: 30})
}
