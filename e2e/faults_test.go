package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
)

// badInput holds up init before it has begun, in every way that a user meets: each time the
// words that help, the exit code, and nothing changed on the hosts.
func badInput(t *testing.T, l *lab) {
	file, err := os.ReadFile(l.file)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := os.ReadFile(bundleFile())
	if err != nil {
		t.Fatal(err)
	}
	edited := func(t *testing.T, old, new string) string {
		t.Helper()
		if !bytes.Contains(file, []byte(old)) {
			t.Fatalf("the cluster file has no %q", old)
		}
		return write(t, "cluster.yaml", bytes.Replace(file, []byte(old), []byte(new), 1))
	}
	same := func(*testing.T) string { return l.file }
	whole := func(*testing.T) string { return bundleFile() }

	for _, fault := range []struct {
		name    string
		file    func(*testing.T) string
		bundle  func(*testing.T) string
		prepare func(*lab)
		mend    func(*lab)
		code    int
		says    []string
	}{
		{name: "no bundle", file: same, bundle: func(*testing.T) string { return "/nowhere/bundle.tar" }, code: 2, says: []string{"/nowhere/bundle.tar"}},
		{name: "a truncated bundle", file: same, bundle: func(t *testing.T) string { return write(t, "bundle.tar", bundle[:len(bundle)/2]) }, code: 1, says: []string{"truncated"}},
		{name: "a flipped byte", file: same, bundle: func(t *testing.T) string { return write(t, "bundle.tar", flipped(bundle)) }, code: 1, says: []string{"corrupt"}},
		{name: "another Kubernetes version", file: func(t *testing.T) string {
			return edited(t, "kind: Cluster", "kind: Cluster\nkubernetesVersion: v1.36.1")
		}, bundle: whole, code: 4, says: []string{"v1.36.1", cluster.DefaultKubernetesVersion}},
		{name: "an unknown field and an unknown role at once", file: func(t *testing.T) string {
			return edited(t, "roles: [worker]", "roles: [wroker]\n    adresss: 10.80.0.21")
		}, bundle: whole, code: 2, says: []string{"adresss", "wroker"}},
		{name: "an address that is not on the host", file: func(t *testing.T) string {
			return edited(t, "address: 10.80.0.21", "address: 10.80.0.77\n    ssh: {host: 10.80.0.21}")
		}, bundle: whole, code: 4, says: []string{"worker-1", "10.80.0.77"}},
		{name: "a user who may not sudo", file: func(t *testing.T) string { return edited(t, "user: root", "user: nosudo") }, bundle: whole, code: 4, says: []string{"sudo", "NOPASSWD"}},
		{name: "a user who may sudo, and whose folders others may write to",
			file: func(t *testing.T) string { return edited(t, "user: root", "user: ops") }, bundle: whole,
			prepare: func(l *lab) { l.exec("worker-1", "sh", "-c", "mkdir ~ops/.cache && chmod 0777 ~ops/.cache") },
			mend:    func(l *lab) { l.exec("worker-1", "sh", "-c", "rmdir ~ops/.cache") },
			code:    4, says: []string{"worker-1", "/home/ops/.cache may be written to by others", "chmod go-w"}},
		{name: "a key that the host refuses", file: func(t *testing.T) string {
			return edited(t, "user: root", "user: nobody")
		}, bundle: whole, code: 4, says: []string{"refuses", "ssh-copy-id"}},
		{name: "a host key that changed", file: same, bundle: whole,
			prepare: func(l *lab) {
				l.exec("worker-1", "sh", "-c", "cd /etc/ssh && mkdir /root/keys && mv ssh_host_* /root/keys/ && ssh-keygen -A && systemctl restart ssh")
			},
			mend: func(l *lab) {
				l.exec("worker-1", "sh", "-c", "rm /etc/ssh/ssh_host_* && mv /root/keys/* /etc/ssh/ && rmdir /root/keys && systemctl restart ssh")
			},
			code: 4, says: []string{"worker-1", "host key", "known_hosts"}},
		{name: "a port that is taken", file: same, bundle: whole,
			prepare: func(l *lab) {
				l.exec("cp-1", "systemd-run", "--unit=squatter", "--socket-property=ListenStream=6443", "/bin/cat")
			},
			mend: func(l *lab) {
				l.exec("cp-1", "sh", "-c", "systemctl stop squatter.socket; systemctl reset-failed || true")
			},
			code: 4, says: []string{"cp-1", "6443"}},
		{name: "a foreign containerd", file: same, bundle: whole,
			prepare: func(l *lab) {
				l.exec("worker-1", "sh", "-c", "cp /bin/sleep /usr/bin/containerd && systemd-run --unit=containerd /usr/bin/containerd 600")
			},
			mend: func(l *lab) { l.exec("worker-1", "sh", "-c", "systemctl stop containerd; rm /usr/bin/containerd") },
			code: 4, says: []string{"worker-1", "containerd"}},
		{name: "a file system that does not answer", file: same, bundle: whole,
			prepare: func(l *lab) {
				l.putProgram("worker-1", "stuckfs")
				l.exec("worker-1", "systemd-run", "--unit=stuckfs", "/usr/local/bin/stuckfs", "/opt")
			},
			mend: func(l *lab) { l.exec("worker-1", "systemctl", "stop", "stuckfs") },
			code: 4, says: []string{"worker-1", "no answer at /opt"}},
		{name: "a host that is down", file: same, bundle: whole,
			prepare: func(l *lab) { l.must("lab", "kill", "--name", l.name, "worker-1") },
			mend:    func(l *lab) { l.must("lab", "start", "--name", l.name, "worker-1") },
			code:    4, says: []string{"worker-1"}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			sub := *l
			sub.t = t
			if fault.prepare != nil {
				fault.prepare(&sub)
				defer fault.mend(&sub)
			}
			r := sub.run("init", "-f", fault.file(t), "--bundle", fault.bundle(t), "--yes")
			if r.code != fault.code {
				t.Errorf("want exit code %d, got %s", fault.code, r)
			}
			for _, word := range fault.says {
				if !strings.Contains(r.stdout+r.stderr, word) {
					t.Errorf("it does not say %q: %s", word, r)
				}
			}
			if out := sub.exec("cp-1", "sh", "-c", "ls -d /etc/kubernetes /etc/containerd /opt/slipway /var/lib/slipway/record.json 2>/dev/null || true"); out != "" {
				t.Errorf("something was changed: %s", out)
			}
		})
	}
}

// initIsInterrupted keeps a second operator out while the first is at work, and interrupts
// init with Ctrl-C; then the agent on a host dies in its middle.
func initIsInterrupted(t *testing.T, l *lab) {
	first := l.begin(l.withBundle("init", "--yes")...)
	first.waitFinished(3)
	l.wantCode(6, "held by", l.withBundle("init", "--yes")...)
	if err := first.command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := first.wait(); code != 130 {
		t.Fatalf("after Ctrl-C: want exit code 130, got %d\n%s", code, &first.stderr)
	}
	killAgent(l)
}

// killAgent starts init once more and kills -9 the agent on the host in the middle.
func killAgent(l *lab) {
	l.t.Helper()
	run := l.begin(l.withBundle("init", "--yes")...)
	run.waitFinished(2)
	l.exec("cp-1", "pkill", "-9", "-x", "slipway-agent")
	if code := run.wait(); code != 1 {
		l.t.Fatalf("after the agent's end: want exit code 1, got %d\n%s", code, &run.stderr)
	}
	if !strings.Contains(run.stderr.String(), "cp-1") {
		l.t.Errorf("it does not name the host: %s", &run.stderr)
	}
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// flipped is the content with one bit of its middle changed.
func flipped(content []byte) []byte {
	damaged := bytes.Clone(content)
	damaged[len(damaged)/2] ^= 1
	return damaged
}

// bounded is a context for one command of the tests.
func (l *lab) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), l.within(10*time.Minute))
}

// within is how long something may take on this lab's hosts that other hosts do in a given time.
func (l *lab) within(usual time.Duration) time.Duration {
	return usual * time.Duration(max(1, l.slowness))
}
