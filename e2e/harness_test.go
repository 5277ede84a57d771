// Package e2e proves Slipway's promises on lab clusters, with the same commands that a
// user types. Each test is named for the promise that it keeps.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain tells why nothing is tested where nothing can be.
func TestMain(m *testing.M) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		fmt.Println("e2e: NOT RUN: the end-to-end tests need Linux and root (lab hosts are made of namespaces)")
		os.Exit(0)
	}
	for _, path := range []string{slipwayBinary(), bundleFile(), olderBundleFile()} {
		if _, err := os.Stat(path); err != nil {
			fmt.Printf("e2e: %v: run `make fast-bundle dist/fast-bundle-v1.36.tar dist/kubeadm` first\n", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// repository is the root of the checkout: go test runs a test in its package's folder.
func repository() string {
	root, err := filepath.Abs("..")
	if err != nil {
		panic(err)
	}
	return root
}

func slipwayBinary() string { return filepath.Join(repository(), "bin", "slipway") }
func bundleFile() string    { return filepath.Join(repository(), "dist", "fast-bundle.tar") }
func kubeadmBinary() string { return filepath.Join(repository(), "dist", "kubeadm") }

// olderBundleFile is of the minor version before bundleFile's: upgrades begin with it.
func olderBundleFile() string { return filepath.Join(repository(), "dist", "fast-bundle-v1.36.tar") }

// lab is lab hosts, a cluster file that fits them, and a state folder of their own.
type lab struct {
	t      *testing.T
	name   string
	file   string
	state  string
	bundle string // what the commands that take a bundle are given
	made   bool   // init has run on it
	// slowness is how many times slower than the others' its hosts are; 0 is as fast.
	slowness int
}

// newLab boots hosts; they are gone when the test ends.
func newLab(t *testing.T, flags ...string) *lab {
	t.Helper()
	l := emptyLab(t)
	l.up(flags...)
	return l
}

// emptyLab has no host yet.
func emptyLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{
		t:      t,
		bundle: bundleFile(),
		name:   strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())),
		file:   filepath.Join(t.TempDir(), "cluster.yaml"),
		state:  t.TempDir(),
	}
	if len(l.name) > 20 {
		l.name = l.name[:20]
	}
	t.Cleanup(func() {
		if t.Failed() {
			l.evidence()
		}
		l.run("lab", "down", "--name", l.name)
	})
	return l
}

// up grows the lab to what the flags ask for.
func (l *lab) up(flags ...string) {
	l.t.Helper()
	l.must(append([]string{"lab", "up", "--name", l.name, "--out", l.file}, flags...)...)
}

// command is a slipway command with this lab's state folder.
func (l *lab) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, slipwayBinary(), args...)
	command.Env = append(os.Environ(), "XDG_STATE_HOME="+l.state)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it has no terminal to ask for passwords on, wherever the tests run
	return command
}

// result is what a command printed and how it ended.
type result struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\n--- stdout\n%s\n--- stderr\n%s", r.code, r.stdout, r.stderr)
}

// run runs slipway, bounded, whatever its exit code.
func (l *lab) run(args ...string) result {
	return l.runWith(nil, args...)
}

func (l *lab) runWith(stdin []byte, args ...string) result {
	l.t.Helper()
	ctx, cancel := l.bounded()
	defer cancel()
	command := l.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	begun := time.Now()
	err := command.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String(), code: command.ProcessState.ExitCode(), took: time.Since(begun)}
	if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
		l.t.Fatalf("slipway %s: %v", strings.Join(args, " "), err)
	}
	l.t.Logf("slipway %s: exit %d in %.1fs", strings.Join(args, " "), r.code, r.took.Seconds())
	return r
}

// must runs slipway and gives its stdout; any other exit code than 0 ends the test.
func (l *lab) must(args ...string) string {
	l.t.Helper()
	r := l.run(args...)
	if r.code != 0 {
		l.t.Fatalf("slipway %s: %s", strings.Join(args, " "), r)
	}
	return r.stdout
}

// wantCode runs slipway and wants an exit code and a word of what it says.
func (l *lab) wantCode(code int, says string, args ...string) result {
	l.t.Helper()
	r := l.run(args...)
	if r.code != code || !strings.Contains(r.stdout+r.stderr, says) {
		l.t.Fatalf("slipway %s: want exit code %d and %q, got %s", strings.Join(args, " "), code, says, r)
	}
	return r
}

// onCluster gives a cluster command's arguments with the lab's file.
func (l *lab) onCluster(verb string, args ...string) []string {
	return append([]string{verb, "-f", l.file}, args...)
}

func (l *lab) withBundle(verb string, args ...string) []string {
	return append(l.onCluster(verb, "--bundle", l.bundle), args...)
}

// init makes the cluster, or completes it.
func (l *lab) init() {
	l.t.Helper()
	l.must(l.withBundle("init", "--yes")...)
	l.made = true
}

func (l *lab) kubectl(args ...string) string { l.t.Helper(); return l.must(l.kubectlArgs(args...)...) }
func (l *lab) kubectlArgs(args ...string) []string {
	return append(l.onCluster("kubectl", "--"), args...)
}

// exec runs a command on a lab host.
func (l *lab) exec(host string, argv ...string) string {
	l.t.Helper()
	return l.must(append([]string{"lab", "exec", "--name", l.name, host, "--"}, argv...)...)
}

// put copies a file onto a lab host.
func (l *lab) put(host, from, to string) {
	l.t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		l.t.Fatal(err)
	}
	r := l.runWith(data, "lab", "exec", "--name", l.name, host, "--", "sh", "-c", "cat > "+to+" && chmod 0755 "+to)
	if r.code != 0 {
		l.t.Fatalf("copy %s to %s: %s", from, host, r)
	}
}

// putProgram builds one of this folder's commands and puts it on a lab host, where it is
// found by its name.
func (l *lab) putProgram(host, name string) {
	l.t.Helper()
	path := filepath.Join(repository(), "bin", "e2e-"+name)
	build := exec.Command("go", "build", "-o", path, "./e2e/"+name)
	build.Dir, build.Env = repository(), append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		l.t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	l.put(host, path, "/usr/local/bin/"+name)
}

// planIsEmpty wants that nothing is left to do. The Pods of a host that has just come, or
// has just booted again, are counted by their controllers a moment later than its node.
func (l *lab) planIsEmpty() {
	l.t.Helper()
	eventually(l.t, l.within(30*time.Second), "the plan on a healthy cluster is empty", func() error {
		if r := l.run(l.withBundle("plan", "--exit-code")...); r.code != 0 {
			return fmt.Errorf("it is not: %s", r)
		}
		return nil
	})
}

// step is one step of a plan's JSON form.
type step struct {
	ID    string `json:"id"`
	Host  string `json:"host"`
	Phase string `json:"phase"`
}

func (l *lab) planned(args ...string) []step {
	l.t.Helper()
	var plan struct {
		Steps []step `json:"steps"`
	}
	l.decode(l.must(append(l.withBundle("plan", "-o", "json"), args...)...), &plan)
	return plan.Steps
}

func (l *lab) decode(text string, into any) {
	l.t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		l.t.Fatalf("decode: %v in:\n%s", err, text)
	}
}

// wantReady wants exactly these nodes, all Ready.
func (l *lab) wantReady(names ...string) {
	l.t.Helper()
	got := strings.Fields(l.kubectl("get", "nodes", "-o",
		`jsonpath={range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status}{" "}{end}`))
	want := make([]string, len(names))
	for i, name := range names {
		want[i] = name + "=True"
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		l.t.Fatalf("nodes: want %v, got %v", want, got)
	}
}

// eventually asks again and again until the answer is nil, with a bound. Between two it
// leaves the hosts as long as the asking took them: they share this machine's processors.
func eventually(t *testing.T, bound time.Duration, what string, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(bound)
	for {
		began := time.Now()
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %v", what, bound, err)
		}
		<-time.After(max(500*time.Millisecond, time.Since(began)))
	}
}

// evidence logs what explains a failure, before the lab is gone.
func (l *lab) evidence() {
	l.t.Log(l.run(l.onCluster("status")...))
	l.t.Log(l.run(l.kubectlArgs("get", "pods,nodes", "-A", "-o", "wide")...))
}
