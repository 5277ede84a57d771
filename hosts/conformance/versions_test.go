package conformance

import (
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

func (t *trial) keepsVersions() {
	first, second := t.upload(hosttest.Content([]byte("first\n"))), t.upload(hosttest.Content([]byte("second\n")))
	t.do(t.write("file", first, 0o640), hosts.Changed)
	t.do(t.write("same", first, 0o600), hosts.Changed)
	t.do(hosts.MakeSymlink{Path: t.path("link"), Target: "v1"}, hosts.Changed)
	keep := hosts.KeepVersion{
		Before: "v1.37.2-abc", Version: "v1.36.3", Images: map[string]string{"registry.k8s.io/pause:3.10": "sha256:1"},
		Folders: []string{"/opt/slipway/components/kubernetes-v1.36.3-1"},
		Paths:   []string{t.path("file"), t.path("same"), t.path("link"), t.path("nothing")},
	}
	t.twice(keep)
	t.do(t.write("file", second, 0o600), hosts.Changed)
	t.do(hosts.MakeSymlink{Path: t.path("link"), Target: "v2"}, hosts.Changed)
	t.do(t.write("nothing", second, 0o600), hosts.Changed)
	t.do(keep, hosts.Unchanged) // as when the run is resumed
	later := hosts.KeepVersion{Before: "later", Version: "v1.37.2", Paths: []string{t.path("file")}}
	t.twice(later)

	facts := t.observe(hosts.Query{Paths: []string{t.path("file")}})
	if len(facts.Kept) != 2 || facts.Kept[1].Before != "later" || facts.Kept[0].At.IsZero() || len(facts.KeptBroken) > 0 {
		t.Fatalf("kept are %+v, broken %v", facts.Kept, facts.KeptBroken)
	}
	kept := facts.Kept[0]
	own := facts.Files[t.path("file")]
	want := hosts.Kept{Before: keep.Before, Version: "v1.36.3", At: kept.At, Images: keep.Images, Folders: keep.Folders, Paths: []hosts.KeptPath{
		{Path: t.path("file"), Type: hosts.TypeFile, Mode: 0o640, UID: own.UID, GID: own.GID, Size: first.Size, Digest: first.Ref},
		{Path: t.path("same"), Type: hosts.TypeFile, Mode: 0o600, UID: own.UID, GID: own.GID, Size: first.Size, Digest: first.Ref},
		{Path: t.path("link"), Type: hosts.TypeSymlink, Mode: 0o777, UID: own.UID, GID: own.GID, Target: "v1"},
		{Path: t.path("nothing"), Absent: true},
	}}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Fatalf("-want +kept:\n%s", diff)
	}

	back := hosts.WriteFile{Path: t.path("file"), Mode: 0o640, Content: first.Ref, Size: first.Size, Kept: keep.Before}
	if refs := hosts.Describe(back).Refs; len(refs) > 0 {
		t.Errorf("to put a file back %v would be uploaded", refs)
	}
	t.do(hosts.TidyStore{}, hosts.Changed)
	t.twice(back)
	t.wantFile("file", "first\n", 0o640)

	t.twice(hosts.ForgetVersion{Before: keep.Before})
	facts = t.observe(hosts.Query{})
	if len(facts.Kept) != 1 || facts.Kept[0].Before != "later" {
		t.Errorf("one was forgotten, kept are %+v", facts.Kept)
	}
	back.Path = t.path("other")
	if err := t.fails(t.host, back); !strings.Contains(err.Error(), first.Ref) {
		t.Errorf("the error does not name the content: %v", err)
	}
	t.wantNothing("other")
}

func (t *trial) keepsNoSecrets() {
	t.do(t.write("secret", t.upload(hosttest.Secret([]byte("hush"))), 0o600), hosts.Changed)
	t.do(hosts.MakeDirectory{Path: t.path("folder"), Mode: 0o755}, hosts.Changed)
	t.Put(t.path("mine.key"), []byte("hush"), 0o600)
	for _, path := range []string{
		t.path("secret"), t.path("folder"), t.path("mine.key"), "/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/kubelet.conf", "/etc/kubernetes/pki", "relative",
	} {
		t.fails(t.host, hosts.KeepVersion{Before: "next", Version: "v1.36.3", Paths: []string{path}})
	}
	for _, before := range []string{"", "..", ".", "a/b", "A", strings.Repeat("a", 200)} {
		t.fails(t.host, hosts.KeepVersion{Before: before, Version: "v1.36.3"})
		t.fails(t.host, hosts.ForgetVersion{Before: before})
	}
	t.fails(t.host, hosts.WriteFile{Path: t.path("x"), Content: hosttest.Content([]byte("x")).Ref, Kept: "../kept/x"})
	if facts := t.observe(hosts.Query{}); len(facts.Kept)+len(facts.KeptBroken) > 0 {
		t.Errorf("kept are %v, broken %v", facts.Kept, facts.KeptBroken)
	}
	t.wantNothing("x")
}
