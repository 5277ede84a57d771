package conformance

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

func (t *trial) observesAFoldersEntries() {
	blob := t.upload(hosttest.Content([]byte("deep\n")))
	t.do(t.write("folder/deep/file", blob, 0o600), hosts.Changed)
	t.do(t.write("folder/file", blob, 0o600), hosts.Changed)
	facts := t.observe(hosts.Query{Entries: []string{t.path("folder"), t.path("folder/file"), t.path("nothing")}})
	deep, file := facts.Files[t.path("folder/deep")], facts.Files[t.path("folder/file")]
	if deep.Type != hosts.TypeDirectory || file.Digest != blob.Ref || len(facts.Files) != 2 {
		t.Errorf("seen are %v", facts.Files)
	}
}

func (t *trial) observesWhatItDid() {
	blob := t.upload(hosttest.Content([]byte("seen\n")))
	t.do(t.write("file", blob, 0o604), hosts.Changed)
	t.do(hosts.MakeSymlink{Path: t.path("tree/link"), Target: "../file"}, hosts.Changed)
	facts := t.observe(hosts.Query{
		Paths:    []string{t.path("file"), t.path("nothing")},
		Trees:    []string{t.path("tree")},
		Contents: []string{t.path("file")},
	})
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
	t.Put(t.path("tree/theirs"), nil, 0o644)
	t.Put(t.path("elsewhere/theirs"), nil, 0o644)
	recorded := t.observe(hosts.Query{Recorded: true})
	for _, name := range []string{"file", "tree", "tree/link", "tree/theirs"} {
		if _, seen := recorded.Files[t.path(name)]; !seen {
			t.Errorf("of what is on record %s is not seen, but %v", name, recorded.Files)
		}
	}
	if _, seen := recorded.Files[t.path("elsewhere/theirs")]; seen {
		t.Error("what is not on record is seen")
	}
	if link, _ := recorded.Record.OwnedAt(t.path("tree/link")); link.Target != "../file" {
		t.Errorf("on record the link is %+v", link)
	}
	if facts.Record == nil || !owns(facts.Record, t.path("file")) || !owns(facts.Record, t.path("tree/link")) {
		t.Errorf("the record does not name what was made: %+v", facts.Record)
	}
}

func (t *trial) observesInSpiteOfSilence() {
	t.Put(t.path("there"), []byte("x"), 0o644)
	t.Stick(t.path("stuck"))
	stuck := t.path("stuck/file")
	for _, test := range []struct {
		what  string
		query hosts.Query
	}{
		{"files", hosts.Query{Paths: []string{stuck, t.path("there")}, Ports: []int{1}}},
		{hosts.LookContents, hosts.Query{Contents: []string{stuck, t.path("there")}}},
		{hosts.LookContents, hosts.Query{Secrets: []string{stuck, t.path("there")}}},
	} {
		facts := t.observe(test.query)
		told := slices.ContainsFunc(facts.Unanswered, func(u hosts.Unanswered) bool {
			return u.What == test.what && u.At == stuck && u.Seconds > 0
		})
		if !told || len(facts.Files)+len(facts.Contents) > 0 {
			t.Errorf("of %s are seen %v %v, and not answered: %v", test.what, facts.Files, facts.Contents, facts.Unanswered)
		}
		if facts.Kernel == "" {
			t.Error("the rest is not seen")
		}
	}
	if facts := t.observe(hosts.Query{Ports: []int{1}}); len(facts.Unanswered) > 0 {
		t.Errorf("nothing below it was asked for, and not answered: %v", facts.Unanswered)
	}
}

func owns(record *hosts.Record, name string) bool {
	for _, owned := range record.Paths {
		if owned.Path == name {
			return true
		}
	}
	return false
}
