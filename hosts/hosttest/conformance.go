package hosttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// Prober looks at the machine that a Host under test stands for, from beside that Host.
type Prober interface {
	// Scratch is a directory on the machine, which exists and belongs to the suite.
	Scratch() string
	// Read gives a file's content and mode; ok is false where there is none.
	Read(path string) (content []byte, mode uint32, ok bool)
	// Put puts a file there, as somebody else would.
	Put(path string, content []byte, mode uint32)
	// Another opens the same machine a second time.
	Another(t *testing.T) hosts.Host
	// Stick makes everything below a path of the machine one that never answers, until the
	// test ends: a file system whose server is away.
	Stick(path string)
	// Echo is the TCP address, as seen from the machine, of a service that reads all,
	// then writes it back and closes.
	Echo() (address string)
}

// Conformance is what every Host keeps: each promise on a machine of its own.
func Conformance(t *testing.T, open func(t *testing.T) (hosts.Host, Prober)) {
	for _, promise := range promises {
		t.Run(promise.name, func(t *testing.T) {
			host, prober := open(t)
			t.Cleanup(func() { _ = host.Close() })
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			promise.hold(&trial{T: t, ctx: ctx, host: host, Prober: prober})
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
	{"the entries of a folder are observed", (*trial).observesAFoldersEntries},
	{"what was done is observed and on record", (*trial).observesWhatItDid},
	{"what does not answer is told beside the rest", (*trial).observesInSpiteOfSilence},
	{"addresses that can be reached are told from others", (*trial).observesReach},
	{"a disk is measured where no etcd lives, and left as it was", (*trial).observesSync},
	{"a virtual address is asked for where that means something", (*trial).observesVirtualIP},
	{"Pods that do not run are not stopped", (*trial).stopsNoPods},
	{"blobs are uploaded once, small and large", (*trial).uploadsOnce},
	{"a cancelled action changes nothing", (*trial).cancels},
	{"calls at once do not disturb each other", (*trial).servesManyAtOnce},
	{"the lease keeps others out and names its holder", (*trial).leases},
	{"a host belongs to one cluster", (*trial).claims},
	{"a connection from the host carries bytes and ends both ways", (*trial).dials},
	{"a connection keeps its deadlines", (*trial).keepsDeadlines},
	{"a connection that is refused is an error", (*trial).refusesToDial},
	{"a closed host answers with errors", (*trial).closes},
}

// trial is one promise being tried.
type trial struct {
	*testing.T
	Prober
	ctx  context.Context
	host hosts.Host
}

func (t *trial) path(name string) string { return path.Join(t.Scratch(), name) }

// Content makes a blob of content that is no secret.
func Content(content []byte) hosts.Blob {
	sum := sha256.Sum256(content)
	hexSum := hex.EncodeToString(sum[:])
	return hosts.Blob{
		Ref: "sha256:" + hexSum, SHA256: hexSum, Size: int64(len(content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

// Secret makes a blob of content that is one.
func Secret(content []byte) hosts.Blob {
	blob := Content(content)
	keyed := sha256.Sum256(append([]byte("a key "), content...))
	blob.Ref, blob.Secret = "secret:"+hex.EncodeToString(keyed[:]), true
	return blob
}

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
		t.Fatalf("%s: %v", action.Kind(), err)
	}
	if outcome.Result != want {
		t.Fatalf("%s is %s, want %s", action.Kind(), outcome.Result, want)
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
		t.Fatalf("%s is %s, want an error", action.Kind(), outcome.Result)
	}
	var known *hosts.Error
	if !errors.As(err, &known) {
		t.Fatalf("%s fails with %T (%v), want a *hosts.Error", action.Kind(), err, err)
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

func (t *trial) writesFiles() {
	first, second := t.upload(Content([]byte("one\n"))), t.upload(Content([]byte("two\n")))
	t.twice(t.write("sub/dir/file", first, 0o640))
	t.wantFile("sub/dir/file", "one\n", 0o640)
	t.twice(t.write("sub/dir/file", second, 0o640))
	t.wantFile("sub/dir/file", "two\n", 0o640)
}

func (t *trial) correctsMode() {
	blob := t.upload(Content([]byte("same\n")))
	t.Put(t.path("file"), []byte("same\n"), 0o644)
	t.do(t.write("file", blob, 0o644), hosts.Unchanged)
	t.twice(t.write("file", blob, 0o600))
	t.wantFile("file", "same\n", 0o600)
}

func (t *trial) seeds() {
	seed := t.write("seed", t.upload(Content([]byte("ours\n"))), 0o600)
	seed.Seed = true
	t.Put(t.path("seed"), []byte("theirs\n"), 0o644)
	t.do(seed, hosts.Unchanged)
	t.wantFile("seed", "theirs\n", 0o644)
	seed.Path = t.path("other")
	t.twice(seed)
	t.wantFile("other", "ours\n", 0o600)
	link := hosts.MakeSymlink{Path: t.path("other"), Target: "elsewhere", Seed: true}
	t.do(link, hosts.Unchanged)
	t.wantFile("other", "ours\n", 0o600)
}

func (t *trial) writesSecrets() {
	blob := t.upload(Secret([]byte("hush")))
	action := t.write("secret", blob, 0o600)
	t.twice(action)
	t.wantFile("secret", "hush", 0o600)
	another := t.Another(t.T)
	err := t.fails(another, t.write("copy", blob, 0o600))
	if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), blob.SHA256) {
		t.Fatalf("the error tells of the secret: %v", err)
	}
	t.wantNothing("copy")
}

func (t *trial) refusesUnknownContent() {
	blob := Content([]byte("never sent"))
	err := t.fails(t.host, t.write("file", blob, 0o600))
	if !strings.Contains(err.Error(), blob.Ref) {
		t.Fatalf("the error does not name %s: %v", blob.Ref, err)
	}
	t.wantNothing("file")
}

func (t *trial) refusesBadContent() {
	for name, size := range map[string]int{"small": 100, "large": 1 << 20} {
		blob := Content(bytes.Repeat([]byte("a"), size))
		blob.Open = func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(bytes.Repeat([]byte("b"), size))), nil
		}
		if err := t.host.Upload(t.ctx, []hosts.Blob{blob}, nil); err == nil {
			t.Fatalf("%s content of another digest was taken", name)
		}
		t.fails(t.host, t.write("file", blob, 0o600))
		t.wantNothing("file")
	}
}

func (t *trial) makesAndRemoves() {
	t.twice(hosts.MakeDirectory{Path: t.path("a/b"), Mode: 0o700})
	t.twice(hosts.MakeDirectory{Path: t.path("a/b"), Mode: 0o750})
	t.twice(hosts.MakeSymlink{Path: t.path("a/link"), Target: "b"})
	t.twice(hosts.MakeSymlink{Path: t.path("a/link"), Target: "c"})
	t.twice(hosts.RemovePath{Path: t.path("a/link")})
	t.twice(hosts.RemovePath{Path: t.path("a/b")})
	t.twice(t.write("a/file", t.upload(Content([]byte("x"))), 0o600))
	t.twice(hosts.RemovePath{Path: t.path("a/file")})
	t.wantNothing("a/file")
}

func (t *trial) removesCarefully() {
	t.do(t.write("d/file", t.upload(Content([]byte("x"))), 0o600), hosts.Changed)
	t.do(hosts.RemovePath{Path: t.path("d"), IfEmpty: true}, hosts.Unchanged)
	t.fails(t.host, hosts.RemovePath{Path: t.path("d")})
	t.wantFile("d/file", "x", 0o600)
	t.twice(hosts.RemovePath{Path: t.path("d"), Recursive: true})
	t.wantNothing("d/file")
}

func (t *trial) observesAFoldersEntries() {
	blob := t.upload(Content([]byte("deep\n")))
	t.do(t.write("folder/deep/file", blob, 0o600), hosts.Changed)
	t.do(t.write("folder/file", blob, 0o600), hosts.Changed)
	facts, err := t.host.Observe(t.ctx, hosts.Query{Entries: []string{t.path("folder"), t.path("folder/file"), t.path("nothing")}})
	if err != nil {
		t.Fatal(err)
	}
	deep, file := facts.Files[t.path("folder/deep")], facts.Files[t.path("folder/file")]
	if deep.Type != hosts.TypeDirectory || file.Digest != blob.Ref || len(facts.Files) != 2 {
		t.Errorf("seen are %v", facts.Files)
	}
}

func (t *trial) observesWhatItDid() {
	blob := t.upload(Content([]byte("seen\n")))
	t.do(t.write("file", blob, 0o604), hosts.Changed)
	t.do(hosts.MakeSymlink{Path: t.path("tree/link"), Target: "../file"}, hosts.Changed)
	facts, err := t.host.Observe(t.ctx, hosts.Query{
		Paths:    []string{t.path("file"), t.path("nothing")},
		Trees:    []string{t.path("tree")},
		Contents: []string{t.path("file")},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := facts.Files[t.path("file")]
	if file.Type != hosts.TypeFile || file.Digest != blob.Ref || file.Mode != 0o604 || file.Size != blob.Size {
		t.Errorf("the file is seen as %+v", file)
	}
	if link := facts.Files[t.path("tree/link")]; link.Type != hosts.TypeSymlink || link.Target != "../file" {
		t.Errorf("the link is seen as %+v", link)
	}
	if _, ok := facts.Files[t.path("nothing")]; ok {
		t.Error("something is seen where nothing is")
	}
	if string(facts.Contents[t.path("file")]) != "seen\n" {
		t.Errorf("the content is seen as %q", facts.Contents[t.path("file")])
	}
	if facts.Record == nil || !owns(facts.Record, t.path("file")) || !owns(facts.Record, t.path("tree/link")) {
		t.Errorf("the record does not name what was made: %+v", facts.Record)
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

func (t *trial) observesInSpiteOfSilence() {
	t.Put(t.path("there"), []byte("x"), 0o644)
	t.Stick(t.path("stuck"))
	stuck := t.path("stuck/file")
	facts := t.observe(hosts.Query{Paths: []string{stuck, t.path("there")}, Ports: []int{1}})
	told := slices.ContainsFunc(facts.Unanswered, func(u hosts.Unanswered) bool {
		return u.What == "files" && u.At == stuck && u.Seconds > 0
	})
	if !told || facts.Files != nil {
		t.Errorf("of files %v are seen, and not answered: %v", facts.Files, facts.Unanswered)
	}
	if facts.Kernel == "" {
		t.Error("the rest is not seen")
	}
	if facts := t.observe(hosts.Query{Ports: []int{1}}); len(facts.Unanswered) > 0 {
		t.Errorf("nothing below it was asked for, and not answered: %v", facts.Unanswered)
	}
}

func (t *trial) observesReach() {
	there, closed := t.Echo(), "127.0.0.1:1"
	reach := t.observe(hosts.Query{Reach: []string{there, closed}}).Reach
	if why, asked := reach[there]; !asked || why != "" || reach[closed] == "" || len(reach) != 2 {
		t.Errorf("%s and %s are reached so: %q", there, closed, reach)
	}
	if reach := t.observe(hosts.Query{}).Reach; reach != nil {
		t.Errorf("unasked it tries %q", reach)
	}
}

func (t *trial) observesSync() {
	t.do(hosts.MakeDirectory{Path: t.path("empty"), Mode: 0o700}, hosts.Changed)
	t.do(hosts.MakeDirectory{Path: t.path("used/member"), Mode: 0o700}, hosts.Changed)
	for folder, measured := range map[string]bool{t.path("empty"): true, t.path("empty/not/yet"): true, t.path("used"): false} {
		if took := t.observe(hosts.Query{Sync: folder}).Sync; took > 0 != measured {
			t.Errorf("a write in %s takes %s", folder, took)
		}
	}
	if took := t.observe(hosts.Query{}).Sync; took != 0 {
		t.Errorf("unasked it measures %s", took)
	}
	if left := t.observe(hosts.Query{Entries: []string{t.path("empty")}}).Files; len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

func (t *trial) observesVirtualIP() {
	ask := func(address string) *hosts.VirtualIP {
		return t.observe(hosts.Query{VirtualIP: &hosts.VirtualIPQuery{Address: address, Unit: "keepalived.service"}}).VirtualIP
	}
	if seen := ask("127.0.0.1"); seen != nil {
		t.Errorf("of the host's own address the network says %+v", seen)
	}
	if seen := ask("203.0.113.77"); seen == nil || seen.Interface != "" || seen.Holder != "" || len(seen.Routers) > 0 {
		t.Errorf("of an address in no subnet of the host the network says %+v", seen)
	}
	if seen := t.observe(hosts.Query{}).VirtualIP; seen != nil {
		t.Errorf("unasked the network says %+v", seen)
	}
}

func (t *trial) stopsNoPods() {
	t.do(hosts.StopPods{Only: []string{"etcd-" + path.Base(t.Scratch())}, Grace: 1}, hosts.Unchanged)
}

func owns(record *hosts.Record, name string) bool {
	for _, owned := range record.Paths {
		if owned.Path == name {
			return true
		}
	}
	return false
}

func (t *trial) uploadsOnce() {
	small, large := []byte("small"), bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	opens := 0
	var mutex sync.Mutex
	counted := func(blob hosts.Blob) hosts.Blob {
		open := blob.Open
		blob.Open = func() (io.ReadCloser, error) {
			mutex.Lock()
			defer mutex.Unlock()
			opens++
			return open()
		}
		return blob
	}
	blobs := []hosts.Blob{counted(Content(small)), counted(Content(large)), counted(Content(small))}
	var last hosts.Progress
	err := t.host.Upload(t.ctx, blobs, func(p hosts.Progress) {
		if p.Done > p.Total {
			t.Errorf("progress of %d of %d bytes", p.Done, p.Total)
		}
		last = p
	})
	if err != nil {
		t.Fatal(err)
	}
	if last.Done != last.Total || last.Total < int64(len(small)+len(large)) {
		t.Errorf("the last progress is %d of %d", last.Done, last.Total)
	}
	opened := opens
	if err := t.host.Upload(t.ctx, blobs, nil); err != nil {
		t.Fatal(err)
	}
	if opens != opened {
		t.Errorf("what the host had was read again")
	}
	t.do(t.write("large", blobs[1], 0o600), hosts.Changed)
	t.wantFile("large", string(large), 0o600)
}

func (t *trial) cancels() {
	blob := t.upload(Content([]byte("late")))
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
			blob := Content(fmt.Appendf(nil, "file %d", i))
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

func (t *trial) leases() {
	t.twice(hosts.TakeLease{Holder: "first@operator"})
	another := t.Another(t.T)
	err := t.fails(another, hosts.TakeLease{Holder: "second@operator"})
	var holder hosts.LeaseHolder
	if err.Kind != hosts.KindLease || !errors.As(err, &holder) || holder.Holder != "first@operator" {
		t.Fatalf("the lease is refused with kind %q, holder %+v: %v", err.Kind, holder, err)
	}
	facts, seeErr := another.Observe(t.ctx, hosts.Query{})
	if seeErr != nil || facts.Lease == nil || facts.Lease.Holder != "first@operator" {
		t.Fatalf("another sees the lease as %+v, %v", facts.Lease, seeErr)
	}
	t.twice(hosts.ReleaseLease{})
	if _, err := another.Do(t.ctx, hosts.TakeLease{Holder: "second@operator"}, nil); err != nil {
		t.Fatalf("the lease was not given back: %v", err)
	}
	if _, err := another.Do(t.ctx, hosts.ReleaseLease{}, nil); err != nil {
		t.Fatal(err)
	}
	t.twice(hosts.TakeLease{Holder: "first@operator"})
	if err := t.host.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := another.Do(t.ctx, hosts.TakeLease{Holder: "second@operator"}, nil); err != nil {
		t.Fatalf("the lease was not freed by closing: %v", err)
	}
}

func (t *trial) claims() {
	t.twice(hosts.Claim{Cluster: hosts.Identity{ID: "1111", Name: "one"}})
	err := t.fails(t.host, hosts.Claim{Cluster: hosts.Identity{ID: "2222", Name: "two"}})
	if err.Kind != hosts.KindForeign {
		t.Fatalf("another cluster's claim fails with kind %q: %v", err.Kind, err)
	}
	// What an older Slipway claimed learns which machine it is, and goes on to be that one.
	t.twice(hosts.Claim{Cluster: hosts.Identity{ID: "1111", Name: "one"}, Node: "w-1"})
	err = t.fails(t.host, hosts.Claim{Cluster: hosts.Identity{ID: "1111", Name: "one"}, Node: "w-2"})
	if err.Kind != hosts.KindForeign {
		t.Fatalf("a claim for another node fails with kind %q: %v", err.Kind, err)
	}
	facts, failed := t.host.Observe(t.ctx, hosts.Query{})
	if failed != nil {
		t.Fatal(failed)
	}
	want := hosts.Machine{Node: "w-1", Hostname: facts.Hostname, MachineID: facts.MachineID}
	if have := facts.Record.Machine; have == nil || *have != want {
		t.Fatalf("the record has the machine %+v, want %+v", have, want)
	}
}

func (t *trial) dials() {
	conn, err := t.host.Dial(t.ctx, "tcp", t.Echo())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := bytes.Repeat([]byte("back and forth "), 1<<17)
	go func() {
		_, _ = conn.Write(sent) // what is lost shows when it is read
		_ = conn.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d of %d bytes came back, %v", len(got), len(sent), err)
	}
}

func (t *trial) keepsDeadlines() {
	conn, err := t.host.Dial(t.ctx, "tcp", t.Echo())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, deadline := range []time.Time{time.Unix(1, 0), time.Now().Add(time.Millisecond)} {
		if err := conn.SetReadDeadline(deadline); err != nil {
			t.Fatal(err)
		}
		_, err := conn.Read(make([]byte, 1))
		var timeout interface{ Timeout() bool }
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatalf("after its deadline a read ends with %v", err)
		}
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("still alive")); err != nil {
		t.Fatalf("a deadline that was lifted: %v", err)
	}
}

func (t *trial) refusesToDial() {
	if conn, err := t.host.Dial(t.ctx, "unix", t.path("no-socket")); err == nil {
		conn.Close()
		t.Fatal("a connection to nothing was made")
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
	if err := t.host.Upload(t.ctx, []hosts.Blob{Content([]byte("late"))}, nil); err == nil {
		t.Error("a closed host takes blobs")
	}
	if err := t.host.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}
