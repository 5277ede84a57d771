package cluster

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what the edits give into the files of testdata/edit")

// TestEdits makes the edits of each archive, a line each, and holds the text against the one wanted.
func TestEdits(t *testing.T) {
	files, err := filepath.Glob("testdata/edit/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no edits: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before, after, note := part(archive, "before"), part(archive, "after"), string(archive.Comment)
			e, err := NewEditor(before)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(note) {
				if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
					applyEdit(t, e, strings.TrimSpace(line))
				}
			}
			if *update {
				archive.Files = []txtar.File{{Name: "before", Data: before}, {Name: "after", Data: e.Bytes()}}
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(after), string(e.Bytes())); diff != "" && !*update {
				t.Errorf("after (-want +got):\n%s", diff)
			}
			crlf(t, archive, before, e.Bytes())
		})
	}
}

// crlf makes the same edits of the same text with the other line ends.
func crlf(t *testing.T, archive *txtar.Archive, before, after []byte) {
	t.Helper()
	e, err := NewEditor(bytes.ReplaceAll(before, []byte("\n"), []byte("\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(archive.Comment)) {
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
			applyEdit(t, e, strings.TrimSpace(line))
		}
	}
	want := string(bytes.ReplaceAll(after, []byte("\n"), []byte("\r\n")))
	if len(bytes.TrimSpace(before)) == 0 {
		return // a new file
	}
	if diff := cmp.Diff(want, string(e.Bytes())); diff != "" {
		t.Errorf("with CRLF (-want +got):\n%s", diff)
	}
}

func part(archive *txtar.Archive, name string) []byte {
	for _, file := range archive.Files {
		if file.Name == name {
			return file.Data
		}
	}
	return nil
}

// applyEdit makes one edit: set PATH YAML, unset PATH, host NAME YAML, rename NAME TO or remove NAME.
func applyEdit(t *testing.T, e *Editor, line string) {
	t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	subject, argument, _ := strings.Cut(rest, " ")
	var err error
	switch verb {
	case "set":
		var value any
		if err := yaml.Unmarshal([]byte(argument), &value); err != nil {
			t.Fatal(err)
		}
		err = e.Set(subject, value)
	case "unset":
		err = e.Set(subject, nil)
	case "host":
		c, _, drafted := Draft(e.Bytes())
		if drafted != nil {
			t.Fatal(drafted)
		}
		h, _ := c.Host(subject)
		tree, parsed := parse([]byte(argument))
		if parsed != nil || len(tree) != 1 {
			t.Fatalf("%s: %v", argument, parsed)
		}
		d := newDecoder()
		d.decodeStruct(d.resolve(tree)[0], reflectOf(&h), "")
		if len(d.problems) > 0 {
			t.Fatal(d.problems)
		}
		err = e.SetHost(subject, h)
	case "rename":
		err = e.RenameHost(subject, argument)
	case "remove":
		err = e.RemoveHost(subject)
	default:
		t.Fatalf("no edit is called %s", verb)
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
}

// TestEditsThatAreTakenBack: every edit that is taken back gives the text from before, byte by
// byte, wherever it is made in place.
func TestEditsThatAreTakenBack(t *testing.T) {
	for name, file := range map[string]string{"minimal": minimal, "full": full, "outside": outside, "balanced": balanced, "example": string(Example())} {
		t.Run(name, func(t *testing.T) {
			e, err := NewEditor([]byte(file))
			if err != nil {
				t.Fatal(err)
			}
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			c := load(t, file)
			must(e.SetHost("more", Host{Addresses: []string{"192.0.2.99"}, Roles: []Role{RoleWorker}, Labels: map[string]string{"a": "1"}}))
			must(e.Set("name", "other"))
			must(e.Set("drain.gracePeriod", "17s"))
			must(e.RenameHost(c.Hosts[0].Name, "renamed"))
			changed, _, err := Draft(e.Bytes())
			must(err)
			if changed.Name != "other" || changed.Hosts[0].Name != "renamed" || len(changed.Hosts) != len(c.Hosts)+1 {
				t.Errorf("the edits are not there: %+v", changed)
			}
			must(e.RenameHost("renamed", c.Hosts[0].Name))
			if c.Drain.GracePeriod == 0 {
				must(e.Set("drain.gracePeriod", nil))
			} else {
				must(e.Set("drain.gracePeriod", c.Drain.GracePeriod))
			}
			must(e.Set("name", c.Name))
			must(e.RemoveHost("more"))
			if diff := cmp.Diff(file, string(e.Bytes())); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
		})
	}
}

// TestAScalarIsOneLine: nothing around a changed value moves, in a file where every field has a comment.
func TestAScalarIsOneLine(t *testing.T) {
	before := strings.Split(string(Example()), "\n")
	for path, value := range map[string]any{
		"name": "other", "kubernetesVersion": "v1.36.3", "imageRepository": "a.example.com", "endpoint.mode": "local", "endpoint.port": 7443,
		"endpoint.host": "api", "networking.podSubnets": []string{"10.0.0.0/16", "fd00::/48"}, "networking.dnsDomain": "a.local", "ssh.user": "a #b",
		"hosts[0].roles": []Role{RoleControlPlane, RoleWorker}, "hosts[1].name": "two", "hosts[4].address": "192.0.2.9", "hosts[4].addresses": []string{"192.0.2.9"},
		"certificates.validity": "1h", "drain.onBlocked": "wait", "upgrade.keepVersions": 3,
	} {
		e, err := NewEditor(Example())
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Set(path, value); err != nil {
			t.Fatal(err)
		}
		after := strings.Split(string(e.Bytes()), "\n")
		changed := 0
		for i := range before {
			if len(after) != len(before) || after[i] != before[i] {
				changed++
			}
		}
		if changed != 1 {
			t.Errorf("%s: %d lines are changed:\n%s", path, changed, cmp.Diff(before, after))
		}
	}
}

// TestWhatIsAskedForAgainChangesNothing: what a file says is not written another time.
func TestWhatIsAskedForAgainChangesNothing(t *testing.T) {
	for _, file := range []string{minimal, full, outside, balanced, string(Example())} {
		e, err := NewEditor([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		c := load(t, file)
		for _, h := range c.Hosts {
			if err := e.SetHost(h.Name, h); err != nil {
				t.Error(err)
			}
		}
		for path, value := range map[string]any{"name": c.Name, "networking.podSubnets": written(t, file, "networking.podSubnets", c.Networking.PodSubnets)} {
			if err := e.Set(path, value); err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff(file, string(e.Bytes())); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	}
}

// written is a value where the file says it, and nil where it does not.
func written(t *testing.T, file, path string, value any) any {
	t.Helper()
	_, name, _ := strings.Cut(path, ".")
	if !strings.Contains(file, strings.TrimSuffix(name, "s")) {
		return nil
	}
	return value
}

func TestEditsThatAreRefused(t *testing.T) {
	tests := map[string]struct {
		edit func(*Editor) error
		want string
	}{
		"no such field": {func(e *Editor) error { return e.Set("endpoint.hots", "a") }, "set endpoint.hots in the cluster file: there is no field hots; known here: address, host, mode, port, vrrp"},
		"another type":  {func(e *Editor) error { return e.Set("endpoint.port", "a") }, `set endpoint.port in the cluster file: is "a" where a whole number is wanted`},
		"no path":       {func(e *Editor) error { return e.Set("endpoint..host", "a") }, `set endpoint..host in the cluster file: "endpoint..host" is no path of a field`},
		"no index":      {func(e *Editor) error { return e.Set("hosts[9].name", "a") }, "set hosts[9].name in the cluster file: [9]: the list has 5 items"},
		"no host":       {func(e *Editor) error { return e.RemoveHost("cp-9") }, "remove host cp-9 from the cluster file: there is no such host in the file"},
		"a name twice":  {func(e *Editor) error { return e.RenameHost("cp-1", "cp-2") }, "rename host cp-1 in the cluster file to cp-2: there is a host of that name"},
		"another name":  {func(e *Editor) error { return e.SetHost("cp-1", Host{Name: "cp-2"}) }, `set host cp-1 in the cluster file: the host is called "cp-2"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := NewEditor([]byte(minimal))
			if err != nil {
				t.Fatal(err)
			}
			if err := test.edit(e); err == nil || err.Error() != test.want {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
			if diff := cmp.Diff(minimal, string(e.Bytes())); diff != "" {
				t.Errorf("it was changed all the same:\n%s", diff)
			}
		})
	}
	for _, file := range []string{"a: [", "- a\n", "just text", "apiVersion: v1\nkind: Pod\n", "\xff"} {
		if _, err := NewEditor([]byte(file)); err == nil {
			t.Errorf("%q is edited", file)
		}
	}
}

// TestWhatCannotBeEditedStays: neither in place nor by writing the document anew.
func TestWhatCannotBeEditedStays(t *testing.T) {
	const file = "%YAML 1.1\n---\napiVersion: slipway.dev/v1alpha1\nkind: Cluster\n? name\n: demo\n"
	e, err := NewEditor([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Set("name", "other"); err == nil || !strings.Contains(err.Error(), "set name in the cluster file: the text cannot be changed to say that, and only that: ") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(file, string(e.Bytes())); diff != "" {
		t.Errorf("it was changed all the same:\n%s", diff)
	}
	if err := e.Set("endpoint.host", "a"); err != nil { // which stands beside it
		t.Error(err)
	}
}

// FuzzEditor edits whatever is YAML: nothing panics, and the Cluster differs in what was asked for alone.
func FuzzEditor(f *testing.F) {
	for _, file := range []string{one, minimal, full, outside, balanced, string(Example()), "", "# a\n", "---\n", "hosts: [{name: a}, *b]", "a: &a {b: 1}\nc: *a\n",
		"hosts:\n- &h\n  name: a\n- <<: *h\n  name: b\n", "endpoint: &e\n  host: a\nssh: *e\n", "? a\n: b\n", "hosts: !!seq\n  - name: |\n      a\n", "{\"name\": \"a\",\n\"hosts\": []}", "name: >-\n a\n b\n\n\nendpoint: {host: \"a\\\n  b\"} # c"} {
		f.Add([]byte(file), "a", "x: #y")
		f.Add([]byte(file), "cp-1", "10")
	}
	f.Fuzz(func(t *testing.T, data []byte, name, value string) {
		e, err := NewEditor(data)
		if err != nil {
			return
		}
		edits := []struct {
			edit func() error
			ask  func(*Cluster)
		}{
			{func() error { return e.Set("endpoint.address", value) }, func(c *Cluster) { c.Endpoint.Address = value }},
			{func() error { return e.Set("networking.podSubnets", []string{value, name}) }, func(c *Cluster) { c.Networking.PodSubnets = []string{value, name} }},
			{func() error { return e.Set("ssh.user", nil) }, func(c *Cluster) { c.SSH.User = "" }},
			{func() error { return e.Set("upgrade", nil) }, func(c *Cluster) { c.Upgrade = Upgrade{} }},
			{func() error { return e.RemoveHost(name) }, func(c *Cluster) {
				at := slices.IndexFunc(c.Hosts, func(h Host) bool { return h.Name == name })
				c.Hosts = slices.Delete(c.Hosts, at, at+1)
			}},
			{func() error { return e.SetHost("new-host", Host{Roles: []Role{RoleWorker}, Hostname: value}) }, nil},
			{func() error { return e.RenameHost("new-host", "another-host") }, nil},
		}
		for i, one := range edits {
			before, ok := bare(t, e.Bytes())
			text := e.Bytes()
			err := one.edit()
			after, _ := bare(t, e.Bytes())
			if err != nil {
				if !bytes.Equal(text, e.Bytes()) {
					t.Errorf("edit %d failed and changed the text: %v", i, err)
				}
				continue
			}
			if was, is := further(text), further(e.Bytes()); !bytes.Equal(was, is) {
				t.Errorf("edit %d changed the documents behind: %q to %q", i, was, is)
			}
			if !ok || one.ask == nil {
				continue
			}
			one.ask(before)
			if diff := cmp.Diff(before, after, empties); diff != "" {
				t.Errorf("edit %d changed more:\n%s\nof\n%s\nto\n%s", i, diff, text, e.Bytes())
			}
		}
	})
}

// further is the text behind the Cluster's document, where it can be told.
func further(text []byte) []byte {
	f, err := readText(text)
	if err != nil {
		return nil
	}
	if _, to, err := f.extent(); err == nil {
		return text[to:]
	}
	return nil
}

// bare is a Cluster without defaults; false where it cannot be read whole.
func bare(t *testing.T, text []byte) (*Cluster, bool) {
	t.Helper()
	found, err := documents(text)
	if err != nil {
		t.Fatalf("an edit made it unreadable: %v\n%s", err, text)
	}
	d := newDecoder()
	c := d.cluster(d.resolve(found))
	return c, len(d.problems) == 0
}
