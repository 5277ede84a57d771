package lab

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// trace is what a lab has on the machine, as seen by someone who does not believe its
// record: he asks the kernel.
type trace struct {
	at         uint64 // when the look was taken, as processes' start times count
	processes  []process
	namespaces []string
	mounts     []string
	cgroups    []string
	files      []string
}

// testsBegan is when this process did, or a little later.
var testsBegan = time.Now()

// traceOf looks for a lab. Namespaces it only finds by the processes and the mounts that
// hold them, so these are given from an earlier look.
func traceOf(t *testing.T, l *Lab, earlier trace) trace {
	t.Helper()
	self, err := findProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	found := trace{at: self.started + uint64(time.Since(testsBegan)/(10*time.Millisecond))}
	group := filepath.Base(l.cgroup(hierarchy{}))
	if inode, err := namespaceAt(l.networkFile()); err == nil {
		found.namespaces = append(found.namespaces, "net:["+strconv.FormatUint(inode, 10)+"]")
	}
	all, err := processesWhere(func(pid int) bool { return belongs(pid, l, group, earlier) })
	if err != nil {
		t.Fatal(err)
	}
	found.processes = all
	for _, p := range all {
		for _, namespace := range namespacesOf(p.pid) {
			if !slices.Contains(namespacesOf(os.Getpid()), namespace) && !slices.Contains(found.namespaces, namespace) {
				found.namespaces = append(found.namespaces, namespace)
			}
		}
	}
	if found.mounts, err = mountsUnder(l.dir); err != nil {
		t.Fatal(err)
	}
	mounted, err := hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range mounted {
		if _, err := os.Stat(l.cgroup(h)); err == nil {
			found.cgroups = append(found.cgroups, l.cgroup(h))
		}
	}
	found.files, _ = filepath.Glob(l.dir + "*")
	return found
}

// belongs tells by cgroup, arguments or namespaces whether a process is of a lab.
func belongs(pid int, l *Lab, group string, earlier trace) bool {
	dir := "/proc/" + strconv.Itoa(pid)
	cgroups, _ := os.ReadFile(dir + "/cgroup")
	arguments, _ := os.ReadFile(dir + "/cmdline")
	if strings.Contains(string(cgroups), group) || strings.HasPrefix(string(arguments), roleHost+"\x00"+l.dir) {
		return true
	}
	// A namespace's number is soon another's, so it proves nothing about later processes.
	if started, err := startTime(pid); err != nil || started > earlier.at {
		return false
	}
	return slices.ContainsFunc(namespacesOf(pid), func(n string) bool { return slices.Contains(earlier.namespaces, n) })
}

func namespacesOf(pid int) []string {
	links, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/ns/*")
	var all []string
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil {
			all = append(all, to)
		}
	}
	return all
}

// wantNothing fails the test where anything is left of a lab that had this trace.
func wantNothing(t *testing.T, l *Lab, had trace) {
	t.Helper()
	left := traceOf(t, l, had)
	for _, p := range had.processes {
		if p.alive() && !slices.Contains(left.processes, p) {
			left.processes = append(left.processes, p)
		}
	}
	for _, p := range left.processes {
		line, _ := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/cmdline")
		t.Errorf("process %d is left: %q", p.pid, line)
	}
	for kind, names := range map[string][]string{"mount": left.mounts, "cgroup": left.cgroups, "file": left.files, "namespace": left.namespaces} {
		for _, name := range names {
			t.Errorf("%s %s is left", kind, name)
		}
	}
}

func TestDownLeavesNothing(t *testing.T) {
	l := bootLab(t, Counts{ControlPlanes: 1, Workers: 1})
	// Somebody works on the lab: a Pod's cgroup and network, a command, a connection.
	sh(t, l, "cp-1", `mkdir -p /sys/fs/cgroup/pids/kubepods/pod1 /var/lib/containerd/layer
ip netns add pod1
setsid nohup unshare --net --pid --mount --fork sleep infinity > /dev/null 2>&1 &`)
	dial := exec.CommandContext(t.Context(), os.Args[0], "lab", "dial", "--dir", filepath.Dir(l.dir), "--name", l.name, "10.80.0.21", "22")
	dial.Stderr = os.Stderr
	if _, err := dial.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	said, err := dial.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dial.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := said.Read(make([]byte, 1)); err != nil { // it is connected
		t.Fatal(err)
	}
	if err := l.Kill(t.Context(), "worker-1"); err != nil { // and now waits for one who is no more
		t.Fatal(err)
	}
	had := traceOf(t, l, trace{})
	if len(had.processes) < 5 || len(had.namespaces) < 6 || len(had.mounts) != 1 || len(had.cgroups) == 0 || len(had.files) == 0 {
		t.Fatalf("a running lab has more than this to be seen: %+v", had)
	}
	if err := l.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNothing(t, l, had)
	if err := dial.Wait(); err == nil {
		t.Error("a dial outlived the lab")
	}
	if _, err := Open(filepath.Dir(l.dir), l.name); !errors.Is(err, ErrNotFound) {
		t.Errorf("opening it gives %v", err)
	}
	if err := Down(t.Context(), filepath.Dir(l.dir), l.name); err != nil {
		t.Errorf("a second down gives %v", err)
	}
}

// moments are all between two deeds of Up.
var moments = []string{
	"recorded", "borrowed", "network made", "network pinned", "prepared", "disk and cgroups made", "init born",
	"init in its cgroups", "init noted", "host connected", "init told", "booted",
}

// crash runs Up in a process that is killed at a moment.
func crash(t *testing.T, l *Lab, moment string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashVariable+"="+moment, labVariable+"="+filepath.Dir(l.dir)+":"+l.name)
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("crash at %q: %v\n%s", moment, err, out)
	}
}

func TestDownAfterACrashLeavesNothing(t *testing.T) {
	if reason := noHosts(); reason != "" {
		t.Skip("NOT RUN: " + reason)
	}
	for _, moment := range moments {
		t.Run(moment, func(t *testing.T) {
			l, err := find(t.TempDir(), "crash")
			if err != nil {
				t.Fatal(err)
			}
			crash(t, l, moment)
			had := traceOf(t, l, trace{})
			if err := l.Down(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantNothing(t, l, had)
		})
	}
}

// TestTheLockOutlivesAKilledUp: an init that waits for its specification keeps the lock of an Up that is no
// more, so that Down begins when it is gone.
func TestTheLockOutlivesAKilledUp(t *testing.T) {
	if reason := noHosts(); reason != "" {
		t.Skip("NOT RUN: " + reason)
	}
	l, err := find(t.TempDir(), "killed")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(l.hostDir("cp-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := l.lockNew(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	init, err := (&session{lab: l, lock: lock}).startInit(&hostRecord{Name: "cp-1", Kind: KindNamespace})
	if err := errors.Join(err, lock.Close()); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := lockFile(soon, lock.Name()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while an init waits, the lock gives %v", err)
	}
	if err := errors.Join(init.spec.Close(), init.report.Close()); err != nil { // as the kernel does for a killed Up
		t.Fatal(err)
	}
	again, err := lockFile(t.Context(), lock.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := init.process.wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestUpCompletesAfterCrashes(t *testing.T) {
	if reason := noHosts(); reason != "" {
		t.Skip("NOT RUN: " + reason)
	}
	dir := t.TempDir()
	l, err := find(dir, "crash")
	if err != nil {
		t.Fatal(err)
	}
	for _, moment := range moments[:len(moments)-1] { // at the last, nothing is left to complete
		crash(t, l, moment)
	}
	upLab(t, Options{Dir: dir, Name: "crash", Counts: Counts{ControlPlanes: 1, Workers: 1}})
	for _, host := range []string{"cp-1", "worker-1"} {
		if got := sh(t, l, host, "systemctl is-system-running && hostname"); got != "running\n"+host {
			t.Errorf("%s says %q", host, got)
		}
	}
	had := traceOf(t, l, trace{})
	if err := l.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNothing(t, l, had)
}

func TestDownWithoutARecord(t *testing.T) {
	l := bootLab(t, Counts{Workers: 1})
	had := traceOf(t, l, trace{})
	if err := os.WriteFile(l.recordFile(), []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNothing(t, l, had)
}

// TestUnifiedCgroups boots a lab as on a machine that has cgroup v2 and nothing else: in
// a mount namespace where nothing else is mounted.
func TestUnifiedCgroups(t *testing.T) {
	const inside = "SLIPWAY_LAB_TEST_UNIFIED"
	if reason := noHosts(); reason != "" {
		t.Skip("NOT RUN: " + reason)
	}
	if os.Getenv(inside) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUnifiedCgroups$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	showOnlyUnified(t)
	l := bootLab(t, Counts{Workers: 1})
	if got := sh(t, l, "worker-1", "systemctl is-system-running; stat -f -c %T /sys/fs/cgroup; cat /proc/1/cgroup | grep ^0; cat /proc/self/cgroup | grep ^0"); got != "running\ncgroup2fs\n0::/init.scope\n0::/init.scope" {
		t.Errorf("the host says\n%s", got)
	}
	if err := l.Stop(t.Context(), "worker-1"); err != nil {
		t.Error(err)
	}
	if err := l.Start(t.Context(), "worker-1"); err != nil {
		t.Error(err)
	}
	had := traceOf(t, l, trace{})
	if err := l.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNothing(t, l, had)
}

func showOnlyUnified(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	mounts, err := mountsUnder("/sys/fs/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range mounts {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""); err != nil {
		t.Fatal(err)
	}
}

func TestBorrowedIsGivenBack(t *testing.T) {
	if reason := noHosts(); reason != "" {
		t.Skip("NOT RUN: " + reason)
	}
	if _, err := os.Stat(machineDir); err == nil {
		t.Log("other labs are on this machine: only the last one to go gives back")
	}
	before, err := readNumber(inotifyInstances)
	if err != nil {
		t.Fatal(err)
	}
	l := bootLab(t, Counts{Workers: 1})
	if now, err := readNumber(inotifyInstances); err != nil || now < inotifyWanted {
		t.Errorf("with a lab the limit is %d, %v", now, err)
	}
	if err := l.Down(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(machineDir); errors.Is(err, fs.ErrNotExist) {
		if after, err := readNumber(inotifyInstances); err != nil || after != before {
			t.Errorf("the limit was %d and is %d, %v", before, after, err)
		}
	}
}
