package lab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
	"golang.org/x/sys/unix"
)

// bootLab boots a lab in a folder of the test's and takes it down at its end.
func bootLab(t *testing.T, counts Counts) *Lab {
	t.Helper()
	return upLab(t, Options{Dir: t.TempDir(), Name: "test", Counts: counts})
}

func upLab(t *testing.T, o Options) *Lab {
	t.Helper()
	if reason := noHosts(); reason != "" {
		t.Skip("NOT RUN: " + reason)
	}
	o.Progress = func(p Progress) { t.Log(p.Host, p.Text) }
	t.Cleanup(func() {
		if err := Down(context.Background(), o.Dir, o.Name); err != nil {
			t.Error(err)
		}
	})
	l, err := Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// sh runs a script on a host; it must succeed.
func sh(t *testing.T, l *Lab, host, script string) string {
	t.Helper()
	result, err := l.Exec(t.Context(), host, nil, "sh", "-c", script)
	if err != nil || result.Code != 0 {
		t.Fatalf("%s on %s: %v, exit %d\n%s%s", script, host, err, result.Code, result.Stdout, result.Stderr)
	}
	return strings.TrimSpace(string(result.Stdout))
}

// fails tells whether a script on a host fails.
func fails(t *testing.T, l *Lab, host, script string) bool {
	t.Helper()
	result, err := l.Exec(t.Context(), host, nil, "sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	return result.Code != 0
}

func TestHostsAreRealEnough(t *testing.T) {
	l := bootLab(t, Counts{ControlPlanes: 1, Workers: 1})
	for name, check := range map[string]func(*testing.T, *Lab){
		"systemd is running":                 systemdRuns,
		"each host is itself":                hostsDiffer,
		"nothing leads out":                  nothingLeadsOut,
		"names fail fast":                    namesFailFast,
		"the machine keeps its settings":     settingsStay,
		"the machine's network is untouched": machineNetworkUntouched,
		"SSH lets the right users in":        sshWorks,
		"exec passes streams and exit codes": execIsFaithful,
		"dial carries both ways":             dialCarriesBothWays,
		"a link can be cut":                  linkCuts,
		"a stop is orderly":                  stopIsOrderly,
		"a kill is a power cut":              killCutsPower,
		"a reboot boots again":               rebootBootsAgain,
		"several hosts go and come at once":  severalAtOnce,
	} {
		t.Run(name, func(t *testing.T) { check(t, l) })
	}
}

func systemdRuns(t *testing.T, l *Lab) {
	if state := sh(t, l, "cp-1", "systemctl is-system-running"); state != "running" {
		t.Errorf("systemd is %s:\n%s", state, sh(t, l, "cp-1", "systemctl --failed; journalctl -b -p err"))
	}
	for _, path := range []string{"/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd"} {
		if kind := sh(t, l, "cp-1", "stat -f -c %T "+path); kind == "overlayfs" {
			t.Errorf("%s is on the overlay", path)
		}
	}
	if got := sh(t, l, "cp-1", "findmnt -n -o PROPAGATION /var/lib/kubelet"); got != "shared" {
		t.Errorf("mounts under /var/lib/kubelet are %s", got)
	}
	for _, line := range strings.Split(sh(t, l, "cp-1", "cat /proc/1/cgroup"), "\n") {
		if strings.Contains(line, "..") || strings.Contains(line, cgroupRoot) {
			t.Errorf("the host sees the machine's cgroups: %s", line)
		}
	}
}

func hostsDiffer(t *testing.T, l *Lab) {
	for _, script := range []string{"hostname", "cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub",
		"cat /proc/sys/kernel/random/boot_id", "cat /sys/class/net/eth0/address", "hostname -I"} {
		one, other := sh(t, l, "cp-1", script), sh(t, l, "worker-1", script)
		if one == other || one == "" {
			t.Errorf("%s: %q on both hosts", script, one)
		}
	}
	if got := sh(t, l, "worker-1", "hostname; hostname -I"); got != "worker-1\n10.80.0.21" {
		t.Errorf("worker-1 says it is %q", got)
	}
	sh(t, l, "worker-1", "ping -c 1 -W 2 10.80.0.11")
}

func nothingLeadsOut(t *testing.T, l *Lab) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	targets := []string{"198.51.100.7"} // nobody's
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			targets = append(targets, n.IP.String())
		}
	}
	for _, target := range targets {
		// Unreachable at once, not lost: else every look-up and retry on a host would hang.
		script := "timeout 5 bash -c 'exec 3<>/dev/tcp/" + target + "/80' 2>&1; echo $?"
		if got := sh(t, l, "cp-1", script); !strings.Contains(got, "No route to host") {
			t.Errorf("connecting to %s gives %q", target, got)
		}
	}
}

func namesFailFast(t *testing.T, l *Lab) {
	result, err := l.Exec(t.Context(), "cp-1", nil, "timeout", "4", "getent", "hosts", "name.example")
	if err != nil || result.Code != 2 { // 2: not found; 124: timeout's
		t.Errorf("looking a name up ends with %d, %v", result.Code, err)
	}
	if got := sh(t, l, "cp-1", "getent ahostsv4 cp-1 | head -n 1 | cut -d ' ' -f 1"); got != "127.0.1.1" {
		t.Errorf("a host finds itself at %q", got)
	}
}

func settingsStay(t *testing.T, l *Lab) {
	for _, setting := range []string{"vm/overcommit_memory", "kernel/panic", "fs/inotify/max_user_watches"} {
		path := "/proc/sys/" + setting
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := sh(t, l, "cp-1", "cat "+path); got != strings.TrimSpace(string(before)) {
			t.Errorf("%s begins as %s on a host, is %s on the machine", setting, got, before)
		}
		if got := sh(t, l, "cp-1", "echo 77 > "+path+"; cat "+path); got != "77" {
			t.Errorf("%s written as 77 reads as %s", setting, got)
		}
		after, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s of the machine went from %s to %s", setting, before, after)
		}
		if got := sh(t, l, "worker-1", "cat "+path); got == "77" {
			t.Errorf("%s of one host is another's too", setting)
		}
	}
	// There is one clock: neither what systemd starts nor what exec starts may set it.
	// (Asked of the capability sets. Trying it would set the clock if the promise broke.)
	for _, process := range []string{"1", "self"} {
		bounds := sh(t, l, "cp-1", "sed -n 's/^CapBnd:[[:space:]]*//p' /proc/"+process+"/status")
		set, err := strconv.ParseUint(bounds, 16, 64)
		if err != nil || set&(1<<unix.CAP_SYS_TIME) != 0 {
			t.Errorf("process %s of a host may set the machine's clock: capabilities %s, %v", process, bounds, err)
		}
	}
}

func machineNetworkUntouched(t *testing.T, l *Lab) {
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if link.Name == bridgeName || link.Name == "cp-1" || link.Name == "worker-1" {
			t.Errorf("the machine has the lab's link %s", link.Name)
		}
	}
}

// login opens an SSH connection by the lab's own proxyCommand, key and known_hosts.
func login(t *testing.T, l *Lab, user, address string) (*ssh.Client, error) {
	t.Helper()
	key, err := os.ReadFile(l.IdentityFile())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	known, err := knownhosts.New(l.KnownHostsFile())
	if err != nil {
		t.Fatal(err)
	}
	command := strings.NewReplacer("%h", address, "%p", "22").Replace(l.ProxyCommand(os.Args[0]))
	here, there := net.Pipe()
	proxy := exec.CommandContext(t.Context(), "sh", "-c", "exec "+command)
	proxy.Stdin, proxy.Stdout, proxy.Stderr = there, there, os.Stderr
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		here.Close()
		there.Close()
		_ = proxy.Wait()
	})
	connection, channels, requests, err := ssh.NewClientConn(addressed{here, address}, address+":22", &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: known,
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
	})
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(connection, channels, requests), nil
}

// addressed is a pipe with the address at its other end, which known_hosts wants to see.
type addressed struct {
	net.Conn
	address string
}

func (a addressed) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(a.address), Port: 22}
}

func sshWorks(t *testing.T, l *Lab) {
	for user, maySudo := range map[string]bool{"root": true, sudoUser: true, noSudoUser: false} {
		client, err := login(t, l, user, "10.80.0.21")
		if err != nil {
			t.Errorf("log in as %s: %v", user, err)
			continue
		}
		defer client.Close()
		for command, want := range map[string]bool{"test $(id -un) = " + user: true, "touch ~/mine": true, "sudo -n true": maySudo} {
			session, err := client.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			if err := session.Run(command); (err == nil) != want {
				t.Errorf("%s as %s: %v", command, user, err)
			}
		}
	}
	if _, err := login(t, l, "nobody", "10.80.0.21"); err == nil {
		t.Error("nobody is let in")
	}
}

func execIsFaithful(t *testing.T, l *Lab) {
	result, err := l.Exec(t.Context(), "cp-1", strings.NewReader("in"), "sh", "-c", "cat; echo err >&2; exit 7")
	if err != nil || string(result.Stdout) != "in" || string(result.Stderr) != "err\n" || result.Code != 7 {
		t.Errorf("got %+v, %v", result, err)
	}
	if result, err := l.Exec(t.Context(), "cp-1", nil, "sh", "-c", "kill -9 $$"); err != nil || result.Code != 128+9 {
		t.Errorf("a killed command gives %+v, %v", result, err)
	}
	if _, err := l.Exec(t.Context(), "cp-1", nil, "no-such-command"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("a command that is not there gives %v", err)
	}
	if _, err := l.Exec(t.Context(), "cp-7", nil, "true"); err == nil || !strings.Contains(err.Error(), "no host cp-7, only cp-1, worker-1") {
		t.Errorf("a host that is not there gives %v", err)
	}
	if got, machine := sh(t, l, "cp-1", "readlink /proc/self/ns/cgroup /proc/self/ns/pid"), sh(t, l, "cp-1", "readlink /proc/1/ns/cgroup /proc/1/ns/pid"); got != machine {
		t.Errorf("exec is in %s, init in %s", got, machine)
	}
	// Inside the host's cgroups too, or the command would outlive the host.
	if got := sh(t, l, "cp-1", "cat /proc/self/cgroup"); strings.Contains(got, "..") {
		t.Errorf("exec stays in cgroups of the machine: %s", got)
	}
}

// dialCarriesBothWays sends until it has said all, and reads the answer that comes only then.
func dialCarriesBothWays(t *testing.T, l *Lab) {
	listener := listenOnBridge(t, l)
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		said, _ := io.ReadAll(connection)
		_, _ = connection.Write(bytes.ToUpper(said))
	}()
	var out bytes.Buffer
	long := strings.Repeat("half-close ", 100_000)
	if err := l.Dial(t.Context(), listener.Addr().String(), strings.NewReader(long), &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != strings.ToUpper(long) {
		t.Errorf("%d bytes came back of %d", out.Len(), len(long))
	}
	if err := l.Dial(t.Context(), "cp-1:9", nil, io.Discard); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("a closed port gives %v", err)
	}
}

func listenOnBridge(t *testing.T, l *Lab) net.Listener {
	t.Helper()
	type outcome struct {
		listener net.Listener
		err      error
	}
	done := make(chan outcome)
	go func() {
		runtime.LockOSThread()
		network, err := os.Open(l.networkFile())
		if err == nil {
			defer network.Close()
			err = unix.Setns(int(network.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			done <- outcome{nil, err}
			return
		}
		listener, err := net.Listen("tcp", "10.80.0.1:0")
		done <- outcome{listener, err}
	}()
	o := <-done
	if o.err != nil {
		t.Fatal(o.err)
	}
	t.Cleanup(func() { o.listener.Close() })
	return o.listener
}

func linkCuts(t *testing.T, l *Lab) {
	const reach = "ping -c 1 -W 1 10.80.0.21"
	if err := l.Link(t.Context(), "worker-1", false); err != nil {
		t.Fatal(err)
	}
	if !fails(t, l, "cp-1", reach) {
		t.Error("a host whose link is down answers")
	}
	sh(t, l, "worker-1", "systemctl is-system-running") // cut off, not dead
	if err := l.Link(t.Context(), "worker-1", true); err != nil {
		t.Fatal(err)
	}
	sh(t, l, "cp-1", "for i in 1 2 3 4 5; do "+reach+" && exit 0; done; exit 1")
}

func state(t *testing.T, l *Lab, host string) Host {
	t.Helper()
	hosts, err := l.Hosts()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts {
		if h.Name == host {
			return h
		}
	}
	t.Fatalf("no host %s", host)
	return Host{}
}

func stopIsOrderly(t *testing.T, l *Lab) {
	sh(t, l, "worker-1", `printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=touch /var/lib/etcd/orderly\n[Install]\nWantedBy=multi-user.target\n' > /etc/systemd/system/witness.service
systemctl enable --now witness`)
	if err := l.Stop(t.Context(), "worker-1"); err != nil {
		t.Fatal(err)
	}
	if h := state(t, l, "worker-1"); h.State != StateDown {
		t.Errorf("after a stop the host is %s", h.State)
	}
	if _, err := l.Exec(t.Context(), "worker-1", nil, "true"); !errors.Is(err, ErrDown) {
		t.Errorf("exec on a stopped host gives %v", err)
	}
	// Growing a lab leaves alone what was stopped on purpose.
	if _, err := Up(t.Context(), Options{Dir: filepath.Dir(l.Dir()), Name: l.Name()}); err != nil {
		t.Fatal(err)
	}
	if h := state(t, l, "worker-1"); h.State != StateDown {
		t.Error("up started a host that was stopped on purpose")
	}
	if err := l.Start(t.Context(), "worker-1"); err != nil {
		t.Fatal(err)
	}
	sh(t, l, "worker-1", "test -e /var/lib/etcd/orderly && systemctl is-active witness && systemctl disable --now witness && rm /var/lib/etcd/orderly")
}

func killCutsPower(t *testing.T, l *Lab) {
	before := state(t, l, "worker-1")
	bootID := sh(t, l, "worker-1", "cat /proc/sys/kernel/random/boot_id")
	sh(t, l, "worker-1", "echo kept > /root/kept; sync; touch /run/gone; hostname -I")
	client, err := login(t, l, "root", "10.80.0.21")
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start("sleep infinity"); err != nil {
		t.Fatal(err)
	}
	if err := l.Kill(t.Context(), "worker-1"); err != nil {
		t.Fatal(err)
	}
	if h := state(t, l, "worker-1"); h.State != StateDown {
		t.Errorf("after a kill the host is %s", h.State)
	}
	all, err := hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		if _, err := os.Stat(l.hostCgroup(h, "worker-1")); err == nil {
			t.Errorf("its cgroup is left in %s", h.Mount)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if connection, err := l.DialContext(ctx, "tcp", "10.80.0.21:22"); err == nil {
		connection.Close()
		t.Error("a dead host answers")
	}
	if err := l.Start(t.Context(), "worker-1"); err != nil {
		t.Fatal(err)
	}
	sh(t, l, "worker-1", "test -e /root/kept && test ! -e /run/gone")
	after := state(t, l, "worker-1")
	if after.Address != before.Address || after.PID == before.PID {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if got := sh(t, l, "worker-1", "cat /proc/sys/kernel/random/boot_id"); got == bootID {
		t.Error("the second boot has the first one's ID")
	}
}

func severalAtOnce(t *testing.T, l *Lab) {
	both := []string{"cp-1", "worker-1"}
	are := func(want State) {
		t.Helper()
		for _, host := range both {
			if h := state(t, l, host); h.State != want {
				t.Errorf("%s is %s, want %s", host, h.State, want)
			}
		}
	}
	if err := l.Kill(t.Context(), "cp-1", "worker-1", "worker-9"); err == nil {
		t.Error("a host that does not exist was killed")
	}
	are(StateUp) // for then none is touched
	for name, off := range map[string]func(context.Context, ...string) error{"kill": l.Kill, "stop": l.Stop} {
		if err := off(t.Context(), "cp-1", "worker-1", "cp-1"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		are(StateDown)
		if err := l.Start(t.Context(), both...); err != nil {
			t.Fatal(err)
		}
		are(StateUp)
	}
	sh(t, l, "cp-1", "for i in 1 2 3 4 5; do ping -c 1 -W 1 10.80.0.21 && exit 0; done; exit 1")
}

// What the cluster file can not have is told before a host is booted or a folder is made.
func TestUpRefusesAnEndpointBeforeItBoots(t *testing.T) {
	if reason := noHosts(); reason != "" {
		t.Skip("NOT RUN: " + reason)
	}
	dir := t.TempDir()
	o := Options{Dir: dir, Name: "test", Counts: Counts{ControlPlanes: 3}, ClusterFile: filepath.Join(dir, "test.yaml"), Endpoint: modeExternal}
	if _, err := Up(t.Context(), o); err == nil || !strings.Contains(err.Error(), "needs a load balancer") {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestTwoUpsAtOnce(t *testing.T) {
	dir := t.TempDir()
	other := make(chan error, 1)
	if noHosts() == "" {
		go func() {
			_, err := Up(t.Context(), Options{Dir: dir, Name: "test", Counts: Counts{Spares: 1}})
			other <- err
		}()
	}
	l := upLab(t, Options{Dir: dir, Name: "test", Counts: Counts{Workers: 1}})
	if err := <-other; err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"worker-1", "spare-1"} {
		if h := state(t, l, name); h.State != StateUp {
			t.Errorf("%s is %s", name, h.State)
		}
	}
}

func TestUpGrowsARunningLab(t *testing.T) {
	dir := t.TempDir()
	o := Options{Dir: dir, Name: "test", Counts: Counts{ControlPlanes: 1}, ClusterFile: filepath.Join(dir, "test.yaml"), Program: "/opt/slipway"}
	l := upLab(t, o)
	before := state(t, l, "cp-1")
	o.Counts = Counts{Workers: 1, Spares: 1}
	upLab(t, o)
	if after := state(t, l, "cp-1"); after != before {
		t.Errorf("growing changed cp-1 from %+v to %+v", before, after)
	}
	for _, name := range []string{"worker-1", "spare-1"} {
		if h := state(t, l, name); h.State != StateUp {
			t.Errorf("%s is %s", name, h.State)
		}
	}
	o.Subnet = netip.MustParsePrefix("10.81.0.0/24")
	if _, err := Up(t.Context(), o); err == nil || !strings.Contains(err.Error(), "cannot be changed") {
		t.Errorf("another subnet gives %v", err)
	}
	data, err := os.ReadFile(o.ClusterFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"name: cp-1": true, "name: worker-1": true, "spare": false} {
		if strings.Contains(string(data), name) != want {
			t.Errorf("%q in the cluster file: %v\n%s", name, !want, data)
		}
	}
}
