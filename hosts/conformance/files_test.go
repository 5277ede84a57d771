package conformance

import (
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

func (t *trial) writesFiles() {
	first, second := t.upload(hosttest.Content([]byte("one\n"))), t.upload(hosttest.Content([]byte("two\n")))
	t.twice(t.write("sub/dir/file", first, 0o640))
	t.wantFile("sub/dir/file", "one\n", 0o640)
	t.twice(t.write("sub/dir/file", second, 0o640))
	t.wantFile("sub/dir/file", "two\n", 0o640)
}

func (t *trial) correctsMode() {
	blob := t.upload(hosttest.Content([]byte("same\n")))
	t.Put(t.path("file"), []byte("same\n"), 0o644)
	t.do(t.write("file", blob, 0o644), hosts.Unchanged)
	t.twice(t.write("file", blob, 0o600))
	t.wantFile("file", "same\n", 0o600)
}

func (t *trial) seeds() {
	seed := t.write("seed", t.upload(hosttest.Content([]byte("ours\n"))), 0o600)
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
	blob := t.upload(hosttest.Secret([]byte("hush")))
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
	blob := hosttest.Content([]byte("never sent"))
	err := t.fails(t.host, t.write("file", blob, 0o600))
	if !strings.Contains(err.Error(), blob.Ref) {
		t.Fatalf("the error does not name %s: %v", blob.Ref, err)
	}
	t.wantNothing("file")
}

func (t *trial) makesAndRemoves() {
	t.twice(hosts.MakeDirectory{Path: t.path("a/b"), Mode: 0o700})
	t.twice(hosts.MakeDirectory{Path: t.path("a/b"), Mode: 0o750})
	t.twice(hosts.MakeSymlink{Path: t.path("a/link"), Target: "b"})
	t.twice(hosts.MakeSymlink{Path: t.path("a/link"), Target: "c"})
	t.twice(hosts.RemovePath{Path: t.path("a/link")})
	t.twice(hosts.RemovePath{Path: t.path("a/b")})
	t.twice(t.write("a/file", t.upload(hosttest.Content([]byte("x"))), 0o600))
	t.twice(hosts.RemovePath{Path: t.path("a/file")})
	t.wantNothing("a/file")
}

func (t *trial) removesCarefully() {
	t.do(t.write("d/file", t.upload(hosttest.Content([]byte("x"))), 0o600), hosts.Changed)
	t.do(hosts.RemovePath{Path: t.path("d"), IfEmpty: true}, hosts.Unchanged)
	t.fails(t.host, hosts.RemovePath{Path: t.path("d")})
	t.wantFile("d/file", "x", 0o600)
	t.twice(hosts.RemovePath{Path: t.path("d"), Recursive: true})
	t.wantNothing("d/file")
	blob := t.upload(hosttest.Content([]byte("x")))
	t.do(t.write("file", blob, 0o600), hosts.Changed)
	t.fails(t.host, hosts.RemovePath{Path: t.path("file"), Digest: hosttest.Content([]byte("y")).Ref})
	t.wantFile("file", "x", 0o600)
	t.twice(hosts.RemovePath{Path: t.path("file"), Digest: blob.Ref})
	t.wantNothing("file")
}
