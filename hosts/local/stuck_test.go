//go:build linux

package local_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// shortTimeout is that of a machine in these tests.
const shortTimeout = 300 * time.Millisecond

// stick mounts a file system whose server never answers, as that of a server which is
// away. Every call into it waits until release is called, or the test ends.
func (m *machine) stick(path string) (release func()) {
	m.t.Helper()
	if err := os.MkdirAll(m.at(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", device.Fd())
	if err := unix.Mount("stuck", m.at(path), "fuse", 0, options); err != nil {
		m.t.Fatal(err)
	}
	release = func() {
		_ = device.Close() // whoever waits is told that nobody is there
		_ = unix.Unmount(m.at(path), unix.MNT_DETACH)
	}
	m.t.Cleanup(release)
	return release
}

// impatient opens the machine with little patience.
func (m *machine) impatient() *local.Host {
	return m.open(local.Options{Timeout: shortTimeout})
}

// TestAStuckFileSystemIsTold and all else is seen: what stands still at it, and where.
func TestAStuckFileSystemIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		query hosts.Query
		what  string
		at    string
	}{
		"disks":        {hosts.Query{}, "disks", "/opt"},
		"a path":       {hosts.Query{Paths: []string{"/scratch/.keep", "/opt/cni/bin/bridge"}}, "files", "/opt/cni/bin/bridge"},
		"a tree":       {hosts.Query{Trees: []string{"/opt"}}, "files", "/opt"},
		"entries":      {hosts.Query{Entries: []string{"/opt/cni/bin"}}, "files", "/opt/cni/bin"},
		"contents":     {hosts.Query{Contents: []string{"/opt/x"}}, "contents", "/opt/x"},
		"certificates": {hosts.Query{Certificates: []hosts.CertificateQuery{{Cert: "/opt/x.crt"}}}, "certificates", "/opt/x.crt"},
		"kubeconfigs":  {hosts.Query{Kubeconfigs: []string{"/opt/x.conf"}}, "kubeconfigs", "/opt/x.conf"},
		"foreign":      {hosts.Query{}, "software that is not Slipway's", "/opt/bin/"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.write("/etc/machine-id", "0123\n")
			m.stick("/opt")
			test.query.Units = []string{"kubelet.service"}
			began := time.Now()
			facts, err := m.impatient().Observe(t.Context(), test.query)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 20*shortTimeout {
				t.Errorf("it took %s", took)
			}
			if facts.Time.Before(began.Add(shortTimeout)) {
				t.Errorf("the clock was read at %s, and not at the end: another's clock would seem wrong", facts.Time.Sub(began))
			}
			told := false
			for _, u := range facts.Unanswered {
				told = told || u.What == test.what && strings.HasPrefix(u.At, test.at)
			}
			if !told {
				t.Errorf("%s at %s is not told: %v", test.what, test.at, facts.Unanswered)
			}
			if facts.MachineID != "0123" || facts.Units == nil {
				t.Errorf("the rest was not seen: machine-id %q, units %v", facts.MachineID, facts.Units)
			}
		})
	}
}

// TestWhatWasHashedIsKeptBesideSilence: else a host with one thing that does not answer
// hashes all anew each time, and may never come to its end.
func TestWhatWasHashedIsKeptBesideSilence(t *testing.T) {
	m := newMachine(t)
	m.write("/var/lib/slipway/.keep", "")
	m.write("/etc/large", strings.Repeat("x", 1<<20))
	m.stick("/opt")
	later := func() time.Time { return time.Now().Add(time.Hour) } // the file has long settled
	host := m.open(local.Options{Timeout: shortTimeout, Now: later})
	facts, err := host.Observe(t.Context(), hosts.Query{Paths: []string{"/etc/large", "/opt/x"}})
	if err != nil || len(facts.Unanswered) == 0 {
		t.Fatalf("%v, unanswered: %v", err, facts.Unanswered)
	}
	if kept := m.read("/var/lib/slipway/digests.json"); !strings.Contains(kept, "/etc/large") {
		t.Errorf("kept is %s", kept)
	}
}

// TestARecordThatIsStuckIsAnError: nothing can be judged without it.
func TestARecordThatIsStuckIsAnError(t *testing.T) {
	m := newMachine(t)
	m.stick("/var/lib/slipway")
	_, err := m.impatient().Observe(t.Context(), hosts.Query{})
	var known *hosts.Error
	if !errors.As(err, &known) || known.Kind != hosts.KindStuck || !strings.Contains(err.Error(), "/var/lib/slipway/record.json") {
		t.Errorf("it ends with %v", err)
	}
}

// TestALookThatIsCancelledEnds also while it is stuck.
func TestALookThatIsCancelledEnds(t *testing.T) {
	m := newMachine(t)
	m.stick("/opt")
	host := m.host()
	ctx, cancel := context.WithTimeout(t.Context(), shortTimeout)
	defer cancel()
	began := time.Now()
	if _, err := host.Observe(ctx, hosts.Query{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ends with %v", err)
	}
	if took := time.Since(began); took > 20*shortTimeout {
		t.Errorf("it took %s", took)
	}
}

// TestTheLeaseStaysWhileAnActionIsStuck: another operator must not begin while it may
// still wake and write.
func TestTheLeaseStaysWhileAnActionIsStuck(t *testing.T) {
	m := newMachine(t)
	host, another := m.impatient(), m.host()
	if _, err := host.Do(t.Context(), hosts.TakeLease{Holder: "alice"}, nil); err != nil {
		t.Fatal(err)
	}
	release := m.stick("/opt")
	ended := make(chan error, 1)
	go func() {
		_, err := host.Do(context.Background(), hosts.MakeDirectory{Path: "/opt/cni", Mode: 0o755}, nil)
		ended <- err
	}()
	for host.Acting() == 0 {
		runtime.Gosched()
	}
	if _, err := host.Do(t.Context(), hosts.ReleaseLease{}, nil); err == nil {
		t.Error("the lease was given back")
	}
	began := time.Now()
	if err := host.Close(); err == nil {
		t.Error("it was closed as if nothing were in hand")
	}
	if took := time.Since(began); took > 20*shortTimeout {
		t.Errorf("closing took %s", took)
	}
	var known *hosts.Error
	if _, err := another.Do(t.Context(), hosts.TakeLease{Holder: "bob"}, nil); !errors.As(err, &known) || known.Kind != hosts.KindLease {
		t.Errorf("another takes the lease: %v", err)
	}
	release()
	if err := <-ended; err == nil {
		t.Error("the action was done in a file system that is away")
	}
	if _, err := os.Stat(filepath.Join(m.at("/opt"), "cni")); err == nil {
		t.Error("it went on below the mount")
	}
}

// TestUnpackingEndsBesideAKeptFileThatIsStuck: what is kept of digests is no part of it.
func TestUnpackingEndsBesideAKeptFileThatIsStuck(t *testing.T) {
	m := newMachine(t)
	m.write("/var/lib/slipway/.keep", "")
	m.write("/opt/large", strings.Repeat("x", 1<<20))
	later := func() time.Time { return time.Now().Add(time.Hour) } // the file has long settled
	host := m.open(local.Options{Timeout: shortTimeout, Now: later})
	m.observe(host, hosts.Query{Paths: []string{"/opt/large"}})
	tool := strings.Repeat("tool", 1<<18)
	blob := layer(t, map[string]string{"tool": tool})
	m.upload(host, blob)
	t.Cleanup(host.WaitForDigests) // it goes on when /opt is released, and writes
	release := m.stick("/opt")
	ended := make(chan error, 1)
	go func() {
		_, err := host.Do(context.Background(), hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{unpackFile("/usr/tool", blob, "tool", tool)}}, nil)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(50 * shortTimeout): // it would never end
		t.Error("it waits for the kept file")
		release()
		<-ended
	}
}
