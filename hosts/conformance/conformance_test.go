// Package conformance holds the one suite of tests that every hosts.Host passes, whoever made it.
package conformance

import (
	"context"
	"errors"
	"path"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// conforms tests what every Host promises, each promise on a machine of its own.
func conforms(t *testing.T, open func(t *testing.T) (hosts.Host, prober)) {
	for _, promise := range promises {
		t.Run(promise.name, func(t *testing.T) {
			host, machine := open(t)
			t.Cleanup(func() { _ = host.Close() })
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			promise.hold(&trial{T: t, ctx: ctx, host: host, prober: machine})
		})
	}
}

var promises = []struct {
	name string
	hold func(*trial)
}{
	{"a file is written with its bytes and mode, once", (*trial).writesFiles},
	{"a file's mode alone is put right", (*trial).correctsMode},
	{"a seed is written only where nothing is", (*trial).seeds},
	{"a secret file is written and its content asked for once a connection", (*trial).writesSecrets},
	{"unknown content is an error and changes nothing", (*trial).refusesUnknownContent},
	{"bad content is not taken", (*trial).refusesBadContent},
	{"directories, links and their removal", (*trial).makesAndRemoves},
	{"a directory that is not empty is removed only if asked", (*trial).removesCarefully},
	{"what is in force is kept, whole and once, and put back", (*trial).keepsVersions},
	{"a secret and what is no file or link is not kept", (*trial).keepsNoSecrets},
	{"the entries of a folder are observed", (*trial).observesAFoldersEntries},
	{"what was done is observed and on record", (*trial).observesWhatItDid},
	{"what does not answer is named, and the rest is observed", (*trial).observesInSpiteOfSilence},
	{"addresses that can be reached are told from others", (*trial).observesReach},
	{"a disk is measured where no etcd lives, and left as it was", (*trial).observesSync},
	{"a virtual address is asked for where that means something", (*trial).observesVirtualIP},
	{"traffic is listened for until the call ends, which tells of it", (*trial).listensForTraffic},
	{"Pods that do not run are not stopped", (*trial).stopsNoPods},
	{"blobs are uploaded once, small and large", (*trial).uploadsOnce},
	{"a cancelled action changes nothing", (*trial).cancels},
	{"a command runs without a shell, and tells what it wrote and how it ended", (*trial).runsCommands},
	{"calls at once do not disturb each other", (*trial).servesManyAtOnce},
	{"the lease keeps others out and names its holder", (*trial).leases},
	{"a host belongs to one cluster", (*trial).claims},
	{"a connection from the host carries bytes and ends both ways", (*trial).dials},
	{"a connection keeps its deadlines", (*trial).keepsDeadlines},
	{"a connection that is refused is an error", (*trial).refusesToDial},
	{"a unit's journal is read, its last lines alone, and ends", (*trial).readsAJournal},
	{"a unit's journal is followed until it is closed, and nothing is noted", (*trial).followsAJournal},
	{"of a journal that nobody reads little is kept, and the host serves others", (*trial).holdsAJournalBack},
	{"what is no unit has no journal", (*trial).refusesJournals},
	{"a closed host answers with errors", (*trial).closes},
}

// trial is one promise being tried.
type trial struct {
	*testing.T
	prober
	ctx  context.Context
	host hosts.Host
}

func (t *trial) path(name string) string { return path.Join(t.Scratch(), name) }

// upload brings content to the host and gives its ref.
func (t *trial) upload(blob hosts.Blob) hosts.Blob {
	t.Helper()
	if err := t.host.Upload(t.ctx, []hosts.Blob{blob}, nil); err != nil {
		t.Fatalf("upload: %v", err)
	}
	return blob
}

func (t *trial) write(name string, blob hosts.Blob, mode uint32) hosts.WriteFile {
	return hosts.WriteFile{Path: t.path(name), Mode: mode, Content: blob.Ref, Size: blob.Size, Secret: blob.Secret}
}

// do carries out an action that must end as wanted.
func (t *trial) do(action hosts.Action, want hosts.Result) {
	t.Helper()
	outcome, err := t.host.Do(t.ctx, action, nil)
	if err != nil {
		t.Fatalf("%s: %v", hosts.Describe(action).Deed, err)
	}
	if outcome.Result != want {
		t.Fatalf("%s is %s, want %s", hosts.Describe(action).Deed, outcome.Result, want)
	}
}

// twice carries out an action that has something to do, then finds nothing to do.
func (t *trial) twice(action hosts.Action) {
	t.Helper()
	t.do(action, hosts.Changed)
	t.do(action, hosts.Unchanged)
}

// fails carries out an action that must fail with an *Error.
func (t *trial) fails(host hosts.Host, action hosts.Action) *hosts.Error {
	t.Helper()
	outcome, err := host.Do(t.ctx, action, nil)
	if err == nil {
		t.Fatalf("%s is %s, want an error", hosts.Describe(action).Deed, outcome.Result)
	}
	var known *hosts.Error
	if !errors.As(err, &known) {
		t.Fatalf("%s fails with %T (%v), want a *hosts.Error", hosts.Describe(action).Deed, err, err)
	}
	return known
}

func (t *trial) wantFile(name, content string, mode uint32) {
	t.Helper()
	got, gotMode, ok := t.Read(t.path(name))
	if !ok || string(got) != content || gotMode != mode {
		t.Fatalf("%s: there %v, %q, mode %04o; want %q, %04o", name, ok, got, gotMode, content, mode)
	}
}

func (t *trial) wantNothing(name string) {
	t.Helper()
	if got, _, ok := t.Read(t.path(name)); ok {
		t.Fatalf("%s is there: %q", name, got)
	}
}

// observe looks at the host.
func (t *trial) observe(query hosts.Query) hosts.Facts {
	t.Helper()
	facts, err := t.host.Observe(t.ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	return facts
}
