package ssh_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

func TestConforms(t *testing.T) {
	for name, faults := range map[string]hosttest.Faults{
		"as root":            {},
		"as a user who may":  {UID: 1000},
		"with two sessions":  {MaxSessions: 2},
		"with a noisy shell": {Noise: "Welcome!\nlast login: never\n"},
	} {
		t.Run(name, func(t *testing.T) {
			hosttest.Conformance(t, func(t *testing.T) (hosts.Host, hosttest.Prober) {
				machine := hosttest.NewFake("cp-1")
				server := hosttest.NewServer(t, machine)
				server.SetFaults(faults)
				another := func(t *testing.T) hosts.Host { return connect(t, options(server)) }
				return another(t), machine.Probe(t, another)
			})
		})
	}
}

func TestTheAgentIsPutOnTheHostOnce(t *testing.T) {
	server, binary := newServer(t), newBinary("the agent", 300<<10)
	o := options(server)
	o.Binary = binary.get
	for range 3 {
		if err := used(t, o).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := binary.opens.Load(); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
	dir := filepath.Join(server.Directory(), "agent", binary.SHA256)
	for path, mode := range map[string]os.FileMode{
		server.Directory():            0o700 | os.ModeDir,
		dir:                           0o700 | os.ModeDir,
		filepath.Join(dir, "slipway"): 0o700,
	} {
		info, err := os.Stat(path)
		if err != nil || info.Mode() != mode {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("beside it lie %v", entries)
	}
}

func TestOlderAgentsAreRemoved(t *testing.T) {
	server := newServer(t)
	o := options(server)
	versions := []*testBinary{newBinary("oldest", 1000), newBinary("older", 1000), newBinary("current", 1000)}
	for i, version := range versions {
		o.Binary = version.get
		if err := used(t, o).Close(); err != nil {
			t.Fatal(err)
		}
		if i == 0 { // the second one may still be in use
			past := time.Now().Add(-time.Hour)
			if err := os.Chtimes(filepath.Join(server.Directory(), "agent", version.SHA256), past, past); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, there := range []bool{false, true, true} {
		_, err := os.Stat(filepath.Join(server.Directory(), "agent", versions[i].SHA256))
		if (err == nil) != there {
			t.Errorf("version %d: %v", i, err)
		}
	}
}

// withAgent is a server that has the agent already, and the file where that lies.
func withAgent(t *testing.T) (server *hosttest.Server, o ssh.Options, binary *testBinary, file string) {
	t.Helper()
	server, binary = newServer(t), newBinary("the agent", 1000)
	o = options(server)
	o.Binary = binary.get
	if err := used(t, o).Close(); err != nil {
		t.Fatal(err)
	}
	return server, o, binary, filepath.Join(server.Directory(), "agent", binary.SHA256, "slipway")
}

func TestABrokenAgentIsReplaced(t *testing.T) {
	_, o, binary, file := withAgent(t)
	for name, content := range map[string]string{"empty": "", "truncated": "#!/bin/sh\n# the agent w"} {
		if err := os.WriteFile(file, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
		if host, err := ssh.Connect(t.Context(), o); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if err := host.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := binary.opens.Load(); n != 3 {
		t.Errorf("it was sent %d times", n)
	}
}

func TestTheAgentOfTheHostsPlatformIsSent(t *testing.T) {
	server := newServer(t)
	server.SetFaults(hosttest.Faults{Machine: "riscv64"})
	o := options(server)
	var asked []ssh.Platform
	o.Binary = func(_ context.Context, p ssh.Platform) (ssh.Binary, error) {
		asked = append(asked, p)
		return newBinary(p.String(), 1000).Binary, nil
	}
	connect(t, o)
	if last := asked[len(asked)-1]; last != (ssh.Platform{OS: "linux", Arch: "riscv64"}) {
		t.Errorf("the last one asked for is %s", last)
	}
	o.Binary = func(_ context.Context, p ssh.Platform) (ssh.Binary, error) {
		return ssh.Binary{}, errors.New("the bundle has none for " + p.String())
	}
	refused(t, o, hosts.KindPlatform, "linux/riscv64")
}

func TestAnotherVersionIsRefused(t *testing.T) {
	o := options(newServer(t))
	o.Version = "v9.9.9"
	refused(t, o, hosts.KindVersion, "v9.9.9", hosttest.Version)
}

func TestWithoutSudoNothingIsSent(t *testing.T) {
	server, binary := newServer(t), newBinary("the agent", 1000)
	server.SetFaults(hosttest.Faults{UID: 1000, NoSudo: true})
	o := options(server)
	o.Binary = binary.get
	refused(t, o, hosts.KindPrivilege, "ops ALL=(ALL) NOPASSWD: ALL", "/etc/sudoers.d/")
	if _, err := os.Stat(server.Directory()); err == nil || binary.opens.Load() != 0 {
		t.Error("the agent was sent")
	}
	server.SetFaults(hosttest.Faults{UID: 1000})
	connect(t, o)
	server.SetFaults(hosttest.Faults{UID: 1000, NoSudo: true}) // taken away later
	refused(t, o, hosts.KindPrivilege, "a password is required")
}

// TestAnAgentThatMayNotRunIsExplained has sudo say what it says on a file system that is
// mounted noexec.
func TestAnAgentThatMayNotRunIsExplained(t *testing.T) {
	server, binary := newServer(t), newBinary("the agent", 1000)
	server.SetFaults(hosttest.Faults{UID: 1000, NoExec: true})
	o := options(server)
	o.Binary = binary.get
	refused(t, o, hosts.KindBroken, "Permission denied", "noexec")
	if n := binary.opens.Load(); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}

func TestSFTPIsNeeded(t *testing.T) {
	server := newServer(t)
	server.SetFaults(hosttest.Faults{NoSFTP: true})
	refused(t, options(server), hosts.KindBroken, "Subsystem sftp")
}

func TestAFullDiskRefusesTheAgent(t *testing.T) {
	server := newServer(t)
	server.SetFaults(hosttest.Faults{DiskSpace: 50 << 10})
	refused(t, options(server), hosts.KindDiskFull, "No space left", "0.1 MiB are needed")
	entries, err := filepath.Glob(filepath.Join(server.Directory(), "agent", "*", "*"))
	if err != nil || len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestAKilledAgentIsALostConnection(t *testing.T) {
	noLeaks(t)
	machine := hosttest.NewFake("cp-1")
	begun := make(chan struct{})
	machine.Before = func(ctx context.Context, _ hosts.Action) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}
	server := hosttest.NewServer(t, machine)
	server.Life = agent.Life{Interval: 20 * time.Millisecond, Silence: 10 * time.Second}
	host := connect(t, options(server))
	go func() {
		<-begun
		server.KillAgents()
	}()
	_, err := host.Do(t.Context(), hosts.LoadModule{Name: "overlay"}, nil)
	wantError(t, err, hosts.KindCut, "KILL", "run the same command again")
	_, err = host.Observe(t.Context(), hosts.Query{})
	wantError(t, err, hosts.KindCut)
	if err := host.Close(); err != nil {
		t.Errorf("closing ends with %v", err)
	}
}

func TestACutConnectionEndsAllCalls(t *testing.T) {
	noLeaks(t)
	machine := hosttest.NewFake("cp-1")
	const calls = 5
	begun := make(chan struct{}, calls)
	machine.Before = func(ctx context.Context, _ hosts.Action) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	server := hosttest.NewServer(t, machine)
	host := connect(t, options(server))
	prober := machine.Probe(t, nil)
	conn, err := host.Dial(t.Context(), "tcp", prober.Echo())
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, calls)
	for range calls {
		go func() {
			_, err := host.Do(context.Background(), hosts.LoadModule{Name: "overlay"}, nil)
			errs <- err
		}()
	}
	for range calls {
		<-begun
	}
	server.Cut()
	for range calls {
		wantError(t, <-errs, hosts.KindCut)
	}
	if _, err := io.ReadAll(conn); err == nil {
		t.Error("a connection through the host goes on")
	}
	// The agent's grace is not waited for here: the actions end with the server.
	server.KillAgents()
}

func TestASilentHostIsALostConnection(t *testing.T) {
	noLeaks(t)
	server := newServer(t)
	o := options(server)
	o.Life = agent.Life{Interval: 10 * time.Millisecond, Silence: time.Second}
	host := connect(t, o)
	release := server.Hold()
	defer release()
	_, err := host.Observe(t.Context(), hosts.Query{})
	wantError(t, err, hosts.KindCut, "no sign of life")
}

func TestForgettingRemovesTheAgent(t *testing.T) {
	server := newServer(t)
	server.SetFaults(hosttest.Faults{UID: 1000})
	o := options(server)
	host := connect(t, o)
	if err := host.Upload(t.Context(), []hosts.Blob{hosttest.Content(make([]byte, 1<<20))}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(server.Directory()); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Do(t.Context(), hosts.Forget{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	leftBare(t, server)
}

// leftBare holds a server to be as it was found.
func leftBare(t *testing.T, server *hosttest.Server) {
	t.Helper()
	for _, dir := range []string{server.Home, filepath.Dir(server.Directory())} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("left in %s: %v, %v", dir, entries, err)
		}
	}
}

func TestErrorsNameTheHost(t *testing.T) {
	machine := hosttest.NewFake("cp-1")
	machine.Before = func(context.Context, hosts.Action) error {
		return &hosts.Error{Kind: hosts.KindForeign, Op: "look", Err: errors.New("docker runs here"), Fix: "remove it"}
	}
	host := connect(t, options(hosttest.NewServer(t, machine)))
	_, err := host.Do(t.Context(), hosts.DisableSwap{}, nil)
	known := wantError(t, err, hosts.KindForeign, "docker runs here", "remove it")
	if n := strings.Count(err.Error(), "on cp-1"); n != 1 {
		t.Errorf("the host is named %d times: %v", n, known)
	}
}

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
		"the binary: all may":       {agent("agent/" + digest + "/slipway"), open(0o777), "may be written to by others"},
		"the binary: not ours":      {agent("agent/" + digest + "/slipway"), give, "does not belong to"},
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
			server.SetFaults(hosttest.Faults{UID: 1000})
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
			refused(t, options(server), hosts.KindForeign, path+" "+test.words, "as root: ", path)
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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
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
	refused(t, o, hosts.KindForeign, where+" may be written to by others", "chown root '"+where+"' && chmod go-w '"+where+"'")
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
			server.SetFaults(hosttest.Faults{UID: 1000})
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
	server.SetFaults(hosttest.Faults{UID: 1000})
	o := options(server)
	o.Binary = binary.get
	planted := filepath.Join(server.Home, ".cache", "slipway", "agent", binary.SHA256, "slipway")
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

// TestAnAgentThatArrivesDamagedIsNotPutInPlace: the host's own sum of it is believed.
func TestAnAgentThatArrivesDamagedIsNotPutInPlace(t *testing.T) {
	server, binary := newServer(t), newBinary("the agent", 1000)
	o := options(server)
	o.Binary = func(context.Context, ssh.Platform) (ssh.Binary, error) {
		damaged := binary.Binary
		damaged.Open = newBinary("another", 1000).Open
		return damaged, nil
	}
	refused(t, o, hosts.KindBroken, "did not arrive", "as it was sent")
	if server.Starts() != 0 {
		t.Error("it was started")
	}
	leftBare(t, server)
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

// TestABareHostThatIsOnlyLookedAtStaysBare: not a file, nor a directory.
func TestABareHostThatIsOnlyLookedAtStaysBare(t *testing.T) {
	for name, visit := range map[string]func(*testing.T, hosts.Host){
		"nothing is done": func(*testing.T, hosts.Host) {},
		"it is observed": func(t *testing.T, host hosts.Host) {
			if _, err := host.Observe(t.Context(), hosts.Query{}); err != nil {
				t.Error(err)
			}
		},
		"the lease is taken and given back": func(t *testing.T, host hosts.Host) {
			for _, action := range []hosts.Action{hosts.TakeLease{Holder: "alice"}, hosts.ReleaseLease{}} {
				if _, err := host.Do(t.Context(), action, nil); err != nil {
					t.Error(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			server := newServer(t)
			o := options(server)
			server.SetFaults(hosttest.Faults{UID: 1000})
			host := connect(t, o)
			visit(t, host)
			if err := host.Close(); err != nil {
				t.Fatal(err)
			}
			leftBare(t, server)
		})
	}
}

// TestAnAgentThatMayNotRunIsTakenAway: a start that fails leaves a bare host bare, too.
func TestAnAgentThatMayNotRunIsTakenAway(t *testing.T) {
	server := newServer(t)
	server.SetFaults(hosttest.Faults{UID: 1000, NoExec: true})
	refused(t, options(server), hosts.KindBroken, "Permission denied")
	leftBare(t, server)
}

// TestAnAgentStaysOnAHostThatWasNotBare, whoever sent this version of it.
func TestAnAgentStaysOnAHostThatWasNotBare(t *testing.T) {
	server, next := newServer(t), newBinary("the next version", 1000)
	o := options(server)
	if err := used(t, o).Close(); err != nil {
		t.Fatal(err)
	}
	o.Binary = next.get
	for range 2 {
		if err := connect(t, o).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := next.opens.Load(); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}

// TestALostAgentIsNotWaitedForToBeRemoved: what cannot be done is no error of Close.
func TestALostAgentIsNotWaitedForToBeRemoved(t *testing.T) {
	noLeaks(t)
	server := newServer(t)
	host := connect(t, options(server))
	server.Cut()
	if _, err := host.Observe(t.Context(), hosts.Query{}); err == nil {
		t.Error("it goes on")
	}
	if err := host.Close(); err != nil {
		t.Error(err)
	}
}
