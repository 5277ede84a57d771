package ssh_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

const stranger = 65534

// TestAPlaceThatOthersMayWriteToIsRefused: what lies there would be run as root, or be
// taken by it. That holds for every directory on the way.
func TestAPlaceThatOthersMayWriteToIsRefused(t *testing.T) {
	digest := newBinary("the agent", 100<<10).SHA256
	open := func(mode os.FileMode) func(string) error {
		return func(path string) error { return os.Chmod(path, mode) }
	}
	give := func(path string) error { return os.Chown(path, stranger, stranger) }
	shared := func(path string) error { return errors.Join(os.Chown(path, 0, stranger), os.Chmod(path, 0o775)) }
	listed := func(path string) error { return hosttest.LetWrite(path, stranger) }
	agent := func(path string) func(*hosttest.Server) string {
		return func(s *hosttest.Server) string { return filepath.Join(s.Directory(), path) }
	}
	home := func(path string) func(*hosttest.Server) string {
		return func(s *hosttest.Server) string { return filepath.Join(s.Home, path) }
	}
	for name, test := range map[string]struct {
		path  func(*hosttest.Server) string
		spoil func(string) error
		words string
	}{
		"all may":                   {agent(""), open(0o777), "may be written to by others"},
		"the group may":             {agent(""), open(0o770), "may be written to by others"},
		"sticky":                    {agent(""), open(0o777 | os.ModeSticky), "may be written to by others"},
		"a stranger's":              {agent(""), give, "does not belong to"},
		"agents: all may":           {agent("agent"), open(0o703), "may be written to by others"},
		"agents: a stranger's":      {agent("agent"), give, "does not belong to"},
		"one agent: all may":        {agent("agent/" + digest), open(0o777), "may be written to by others"},
		"the binary: all may":       {agent("agent/" + digest + "/slipway-agent"), open(0o777), "may be written to by others"},
		"the binary: not ours":      {agent("agent/" + digest + "/slipway-agent"), give, "does not belong to"},
		"above: all may":            {agent(".."), open(0o777), "may be written to by others"},
		"above: a stranger's":       {agent(".."), give, "does not belong to"},
		"further above: group may":  {agent("../.."), shared, "may be written to by others"},
		"the inbox: all may":        {home(".cache/slipway/inbox"), open(0o777), "may be written to by others"},
		"the inbox: not ours":       {home(".cache/slipway/inbox"), give, "does not belong to"},
		"~/.cache: all may":         {home(".cache"), open(0o777), "may be written to by others"},
		"~/.cache: a stranger's":    {home(".cache"), give, "does not belong to"},
		"home: all may":             {home(""), open(0o777), "may be written to by others"},
		"~/.cache/slipway: all may": {home(".cache/slipway"), open(0o777), "may be written to by others"},
		"above: a list says who":    {agent(".."), listed, "may be written to by others, by its access control list"},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t)
			server.SetLogin(hosttest.Login{UID: 1000})
			host := connect(t, options(server))
			if err := host.Upload(t.Context(), []hosts.Blob{hosttest.Content(make([]byte, 1<<20))}, nil); err != nil {
				t.Fatal(err) // so that there is an inbox
			}
			if err := host.Close(); err != nil {
				t.Fatal(err)
			}
			path := test.path(server)
			if err := test.spoil(path); err != nil {
				t.Fatal(err)
			}
			starts := server.Starts()
			known := refused(t, options(server), hosts.KindForeign, path+" "+test.words, "as root: ", path)
			if path != server.Directory() && strings.HasPrefix(test.words, "may be written to") && strings.Contains(known.Fix, "chown") {
				t.Errorf("what is the user's own would become another's: %s", known.Fix)
			}
			if server.Starts() != starts {
				t.Error("the agent was started all the same")
			}
		})
	}
}

// TestALinkOnTheWayIsLookedAt, with each folder that it leads through: who may write to one
// of them may lead root elsewhere, whosever the link is now.
func TestALinkOnTheWayIsLookedAt(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, first, second string) // the folders of the two links
		words string                                   // empty: it is taken
	}{
		"links that are root's, in folders that are": {func(*testing.T, string, string) {}, ""},
		"a stranger's folder in the middle": {func(t *testing.T, _, second string) {
			must(t, os.Chown(second, stranger, stranger))
		}, "does not belong to"},
		"a folder in the middle that all may write to": {func(t *testing.T, _, second string) {
			must(t, os.Chmod(second, 0o777))
		}, "may be written to by others"},
		"a stranger's link in a sticky folder": {func(t *testing.T, _, second string) {
			must(t, os.Chmod(second, 0o777|os.ModeSticky))
			must(t, os.Lchown(filepath.Join(second, "link"), stranger, stranger))
		}, "does not belong to"},
		"root's link in a sticky folder": {func(t *testing.T, _, second string) {
			must(t, os.Chmod(second, 0o777|os.ModeSticky))
		}, ""},
		"links in a circle": {func(t *testing.T, first, second string) {
			must(t, os.Remove(filepath.Join(second, "link")))
			must(t, os.Symlink(filepath.Join(first, "link"), filepath.Join(second, "link")))
		}, "leads in a circle"},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t)
			first, second, end := filepath.Join(t.TempDir(), "a b"), t.TempDir(), t.TempDir()
			must(t, os.Mkdir(first, 0o755))
			above := filepath.Dir(server.Directory())
			must(t, os.Remove(above))
			must(t, os.Symlink(filepath.Join(first, "link"), above))
			must(t, os.Symlink(filepath.Join(second, "link"), filepath.Join(first, "link")))
			must(t, os.Symlink(end, filepath.Join(second, "link")))
			test.spoil(t, first, second)
			if test.words == "" {
				connect(t, options(server))
				return
			}
			refused(t, options(server), hosts.KindForeign, test.words, "as root: ")
			if server.Starts() != 0 {
				t.Error("the agent was started all the same")
			}
		})
	}
}

// TestAPathWithABlankIsToldWhole, and typed as one word.
func TestAPathWithABlankIsToldWhole(t *testing.T) {
	server := newServer(t)
	o := options(server)
	o.Directory = filepath.Join(t.TempDir(), "a b", "slipway")
	must(t, os.MkdirAll(filepath.Dir(o.Directory), 0o755))
	must(t, os.Chmod(filepath.Dir(o.Directory), 0o777))
	where := filepath.Dir(o.Directory)
	refused(t, o, hosts.KindForeign, where+" may be written to by others", "as root: chmod go-w '"+where+"'")
}

// TestTheWayToAPlaceMayBeShared where nobody can swap what lies there: by a sticky
// directory, by root's group, or by a group that is the user's alone.
func TestTheWayToAPlaceMayBeShared(t *testing.T) {
	for name, test := range map[string]struct {
		dir  func(*hosttest.Server) string
		mode os.FileMode
		gid  int
	}{
		"sticky":           {func(s *hosttest.Server) string { return filepath.Dir(s.Directory()) }, 0o777 | os.ModeSticky, 0},
		"the user's group": {func(s *hosttest.Server) string { return s.Home }, 0o775, 1000},
		"root's group":     {func(s *hosttest.Server) string { return filepath.Dir(s.Directory()) }, 0o775, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t)
			server.SetLogin(hosttest.Login{UID: 1000})
			dir := test.dir(server)
			if err := os.Chown(dir, 0, test.gid); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, test.mode); err != nil {
				t.Fatal(err)
			}
			connect(t, options(server))
		})
	}
}

// TestAnotherUsersFileIsNeverRun: under sudo the agent lies where the login user, and who
// writes to the user's directories, cannot put a file of their own, not even between the
// look and the start.
func TestAnotherUsersFileIsNeverRun(t *testing.T) {
	server, binary := newServer(t), newBinary("the agent", 1000)
	server.SetLogin(hosttest.Login{UID: 1000})
	o := options(server)
	o.Binary = binary.get
	planted := filepath.Join(server.Home, ".cache", "slipway", "agent", binary.SHA256, "slipway-agent")
	if err := os.MkdirAll(filepath.Dir(planted), 0o700); err != nil {
		t.Fatal(err)
	}
	ran := filepath.Join(server.Home, "ran")
	if err := os.WriteFile(planted, []byte("#!/bin/sh\ntouch '"+ran+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := used(t, o).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a file in the user's home was run as root")
	}
	if n := binary.opens.Load(); n != 1 || server.Starts() != 2 {
		t.Errorf("the agent was sent %d times and started %d times", n, server.Starts())
	}
}

// TestAPlaceThatOthersMadeGetsNoAgent also where no agent is in it yet; a link to a
// directory of the user's own is none.
func TestAPlaceThatOthersMadeGetsNoAgent(t *testing.T) {
	server, binary := newServer(t), newBinary("the agent", 1000)
	o := options(server)
	o.Binary = binary.get
	if err := os.MkdirAll(server.Directory(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(server.Directory(), 0o777); err != nil {
		t.Fatal(err)
	}
	refused(t, o, hosts.KindForeign, server.Directory())
	if n := binary.opens.Load(); n != 0 {
		t.Errorf("the agent was sent %d times", n)
	}
	if err := os.Remove(server.Directory()); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), server.Directory()); err != nil {
		t.Fatal(err)
	}
	connect(t, o)
}
