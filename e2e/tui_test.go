package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/terminal"
)

// mostKeys is how many keys lead from the start to a running cluster of three control planes and a worker, at most, where the
// hosts are pasted and what is usual is right.
const mostKeys = 25

// TestTUI goes from bare hosts to a drained node by keys alone, as a user does who has a list of names and an
// ~/.ssh/config: the hosts' keys are compared and accepted on the way.
func TestTUI(t *testing.T) {
	l := newLab(t, "--control-planes", "3", "--workers", "1")
	data, err := os.ReadFile(l.file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	home := homeThatKnows(t, c)
	if err := os.Symlink(l.bundle, filepath.Join(home, "bundle.tar")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home) // also for the commands: that is where the keys of the hosts are
	u := &user{t: t, lab: l, home: home}
	var names []string
	for _, h := range c.Hosts {
		names = append(names, h.Name+" "+h.Address())
	}
	u.start()
	u.sees("Which hosts are to become the cluster")
	u.pastes(strings.Join(names, "\n"))
	u.sees("(?s)(! [^\\n]*unknown host key.*){4}Press t to compare")
	u.presses("t")
	u.sees("All of them are right")
	u.presses("end")
	u.sees("❯ All of them are right")
	u.presses("enter")
	u.sees("(?s)(✓ [^\\n]*CPUs.*){4}")
	u.presses("n")
	u.sees("Virtual address")
	u.pastes(c.Endpoint.Host)
	u.presses("enter")
	u.sees("✓ Endpoint: the hosts see nothing against it")
	u.presses("n")
	u.sees("✓ Network: the hosts see nothing against it")
	u.presses("n")
	u.sees("✓ bundle.tar")
	u.presses("n")
	u.sees("is new:")
	u.presses("n")
	u.sees("^y do it ")
	u.presses("y")
	u.sees("✓ worker-1 +Ready")
	if n := u.screen.Presses(); n > mostKeys {
		t.Errorf("%d keys were pressed, wanted are at most %d", n, mostKeys)
	}
	l.file, l.made = filepath.Join(home, "cluster.yaml"), true
	l.planIsEmpty()

	u.presses("enter") // the dashboard
	u.sees("worker-1 +worker +Ready")
	u.presses("end")
	u.presses("a")
	u.sees("❯ init")
	for !strings.Contains(u.screen.Screen(), "❯ drain ") {
		before := u.screen.Screen()
		u.presses("down")
		u.seesThat("the next line is chosen", func(screen string) bool { return screen != before })
	}
	u.presses("enter")
	u.sees(`host worker-1 +\[x\]`)
	u.presses("n")
	u.sees("(?s)worker-1: .* evicted.*y: do it")
	u.presses("y")
	u.sees("✓ Done")
	u.presses("esc")
	u.sees("worker-1 +worker +Ready, cordoned")
	u.presses("esc")
	if err := u.screen.Wait(time.Minute); err != nil {
		t.Errorf("it ends with %v", err)
	}
	if cooked, err := u.screen.Cooked(); err != nil || !cooked {
		t.Errorf("the terminal is not as it was: %v, %v", cooked, err)
	}
	if unschedulable := l.kubectl("get", "node", "worker-1", "-o", "jsonpath={.spec.unschedulable}"); unschedulable != "true" {
		t.Errorf("worker-1 is not cordoned: %q", unschedulable)
	}
}

// homeThatKnows is a home folder whose ~/.ssh/config says how the hosts are reached.
func homeThatKnows(t *testing.T, c *cluster.Cluster) string {
	home := t.TempDir()
	var config strings.Builder
	for _, h := range c.Hosts {
		fmt.Fprintf(&config, "Host %s\n  HostName %s\n  User %s\n  IdentityFile %s\n  ProxyCommand %s\n\n", h.Name, h.Address(), h.SSH.User, h.SSH.IdentityFile, h.SSH.ProxyCommand)
	}
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

// user sits before slipway's screen.
type user struct {
	t      *testing.T
	lab    *lab
	home   string
	screen *terminal.Terminal
}

// start starts slipway without arguments, in the home folder.
func (u *user) start() {
	u.t.Helper()
	command := exec.Command(slipwayBinary())
	command.Dir = u.home
	command.Env = append(os.Environ(), "XDG_STATE_HOME="+u.lab.state, "HOME="+u.home, "TERM=xterm-256color", "LANG=C.UTF-8", "LC_ALL=")
	var err error
	if u.screen, err = terminal.Start(command, 80, 24, nil); err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { _ = u.screen.Close() })
}

func (u *user) presses(key string) {
	u.t.Helper()
	if err := u.screen.Press(key); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) pastes(text string) {
	u.t.Helper()
	if err := u.screen.Paste(text); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) sees(what string) {
	u.t.Helper()
	wanted := regexp.MustCompile("(?m)" + what)
	u.seesThat(what, wanted.MatchString)
}

// patience is how long a user waits for something to appear: a run may take that long on a slow machine.
const patience = 4 * time.Minute

func (u *user) seesThat(what string, wanted func(screen string) bool) {
	u.t.Helper()
	if screen, err := u.screen.Await(patience, wanted); err != nil {
		u.t.Fatalf("wait for %q: %v; the screen:\n%s", what, err, screen)
	}
}
