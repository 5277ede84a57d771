package engine

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// Cause is a known reason for a failed wait, and the line that proves it.
type Cause struct {
	Host   string
	What   string // an image is missing
	Source string // where the line was seen: kubelet.service, container etcd, …
	Line   string
	Fix    string
}

func (c Cause) String() string {
	return fmt.Sprintf("on %s %s: %s says %q", c.Host, c.What, c.Source, c.Line)
}

// symptom is a row of the table of known causes. It is looked for only where the thing
// that it is about speaks: what an etcd's log says of etcd, no other log can.
type symptom struct {
	in     scope
	proves func(line string) bool
	what   string
	fix    string
}

// sees is a symptom that a line shows, in the sources that the scope takes.
func sees(in scope, pattern, what, fix string) symptom {
	expression := regexp.MustCompile(`(?i)` + pattern)
	return symptom{in, expression.MatchString, what, fix}
}

// rightful are the processes that may listen where a component should. A load balancer may stand
// before the API server.
var rightful = map[string][]string{
	hosts.ComponentAPIServer: {"kube", "haproxy"},
	hosts.ComponentEtcd:      {"etcd"},
	hosts.ComponentKubelet:   {"kube"},
}

// listensInPlaceOf tells whether another process listens where a component of the cluster should.
func listensInPlaceOf(component, line string) bool {
	who, listens := strings.CutSuffix(line, " listens")
	right := rightful[component]
	if !listens || who == "nobody" {
		return false
	}
	return !slices.ContainsFunc(right, func(name string) bool { return strings.Contains(who, name) })
}

// portOf is a symptom of one component's port.
func portOf(component string) symptom {
	in := func(source string) bool {
		return strings.HasPrefix(source, "port ") && strings.HasSuffix(source, " ("+component+")")
	}
	return symptom{in, func(line string) bool { return listensInPlaceOf(component, line) }, portTaken, freePort}
}

// imageMissing tells whether a line proves that an image is missing. Of a runtime that does
// not answer, the kubelet says the same.
func imageMissing(line string) bool {
	return missingImage.MatchString(line) && !strings.Contains(strings.ToLower(line), "deadline")
}

var missingImage = regexp.MustCompile(`ErrImageNeverPull|is not present with pull policy of Never|failed to get sandbox image|ErrImagePull|ImagePullBackOff`)

const portTaken, freePort = "a port is taken", "stop what listens there: `ss -ltnp` on the host shows it"

const (
	seeContainerd    = "containerd does not answer"
	restartIfItHangs = "see `journalctl -u containerd` on the host; where it hangs: `systemctl restart containerd`"
)

// symptoms are looked for in this order: what brings about the others comes first.
var symptoms = []symptom{
	sees(is(sourceHost), `no answer`,
		"the host does not answer, or not all of it", "see what keeps it busy: load, disks, file systems that hang"),
	sees(ownSources, `no space left on device`,
		"a disk is full", "make room on the file system that the line names, then run the same command again"),
	sees(is("disk"), `: \d{1,2} MiB of `,
		"a disk is full", "make room on the file system that the line names, then run the same command again"),
	sees(is("a file system"), `no answer`,
		"a file system hangs", "see `df` and `mount` on the host: a disk or a network file system does not answer"),
	sees(static("etcd", "kube-apiserver"), `etcdserver: mvcc: database space exceeded|alarm"?: ?"?NOSPACE`,
		"etcd has reached its quota", "compact and defragment etcd, then `etcdctl alarm disarm`"),
	sees(ownSources, `x509: certificate has expired or is not yet valid.*is before|certificate is not yet valid`,
		"a certificate is not valid yet", "set the host's clock (timedatectl, chrony): it is behind the operator's"),
	sees(ownSources, `x509: certificate has expired or is not yet valid.*is after|certificate has expired`,
		"a certificate has expired", "set the host's clock if it is ahead, else renew the certificates"),
	sees(ownSources, `x509: certificate signed by unknown authority|tls: unknown certificate authority`,
		"a certificate is of another CA", "see which CA is whose: `openssl x509 -noout -issuer -in` the certificates in /etc/kubernetes/pki on the host"),
	sees(is(kubelet), `running with swap on is not supported`,
		"swap is on", "turn swap off: `swapoff -a`, and its lines in /etc/fstab"),
	sees(is(kubelet), `kubelet is configured to not run on a host using cgroup v1|cgroup v1 support is (deprecated|in maintenance).*fail`,
		"the kubelet refuses cgroup v1", "boot the host with cgroup v2 (systemd.unified_cgroup_hierarchy=1), or set failCgroupV1: false"),
	sees(is(kubelet, containerd), `expected cgroupsPath to be of format|cgroup driver: .* is different from|kubepods.* missing paths`,
		"containerd and the kubelet want different cgroup drivers", "make SystemdCgroup of containerd's configuration suit the host's cgroups, then run the same command again"),
	sees(is(kubelet, containerd), `failed to find subsystem mount|cgroup controllers? .*(missing|not (found|enabled))|missing required cgroups?`,
		"a cgroup controller is missing", "boot the host with the controller enabled (cgroup_enable=…)"),
	sees(ownSources, `bind: address already in use|listen tcp.*address already in use`,
		portTaken, freePort),
	portOf(hosts.ComponentAPIServer), portOf(hosts.ComponentEtcd), portOf(hosts.ComponentKubelet),
	sees(ownSources, `unknown flag: |unknown shorthand flag`,
		"a flag is unknown to the component", "correct extraArgs in the cluster file"),
	sees(is(kubelet), `failed to (load|decode) kubelet config|strict decoding error|failed to validate kubelet configuration`,
		"the kubelet's configuration is not valid", "correct the KubeletConfiguration in the cluster file"),
	sees(ownSources, `oomkilled|out of memory: killed process|oom-kill:|memory cgroup out of memory`,
		"the kernel killed a process for lack of memory", "give the host more memory, or run less on it"),
	sees(is(sourceContainerd), `no answer`, seeContainerd, restartIfItHangs),
	sees(is(kubelet), `(List\w*|Status|Version|ImageFsInfo)\b[^"]* from (runtime|image) service failed.*code = DeadlineExceeded`,
		seeContainerd, restartIfItHangs),
	sees(is(kubelet), `unix .*containerd\.sock: connect: |container runtime is down|failed to (connect|dial).*containerd\.sock`,
		seeContainerd, restartIfItHangs),
	sees(is(sourceSystemd), `no answer`,
		"systemd does not answer", "see `systemctl list-jobs` and `journalctl -b -p err` on the host"),
	{is(kubelet, containerd), imageMissing, "an image is missing", "run the same command again with the bundle: it loads the cluster's images"},
	sees(is(kubelet, containerd), `failed to find plugin ".*" in path|cni plugin not initialized|no network config found in|/run/flannel/subnet\.env: no such file`,
		"the network add-on is not ready", "see that the add-on's Pods run on the host; with addOn: none, install one"),
	sees(container("coredns"), `Loop \(.*\) detected for zone`,
		"CoreDNS forwards to itself", "give the host's resolv.conf a name server other than the host itself"),
	sees(container("coredns"), `no nameservers found`,
		"CoreDNS forwards to the host's name servers, and there are none", "name one in the host's /etc/resolv.conf, or take the line `forward . /etc/resolv.conf` out: slipway kubectl -n kube-system edit configmap coredns"),
	sees(is(kubelet), `could not open resolv conf file|open (/etc|/run/systemd/resolve)/resolv\.conf: no such file`,
		"the kubelet's resolv.conf is missing", "run the same command again: it tells the kubelet what there is"),
	sees(ownSources, `too many open files|inotify_init: |inotify instances`,
		"the kernel's limit of open files or inotify instances is reached", "raise fs.inotify.max_user_instances and fs.inotify.max_user_watches"),
	sees(static("etcd"), `member .* has already been bootstrapped|cluster ID mismatch|member count is unequal`,
		"etcd's data belong to another cluster", "find out whose data /var/lib/etcd on the host has, and save them (etcdctl snapshot) before anything is removed; then reset the host"),
	sees(ownSources, `exec format error`,
		"a binary is for another architecture", "use the bundle for the host's architecture"),
	sees(static("etcd", "kube-apiserver"), `waiting for leader|no leader|lost leader|etcdserver: request timed out`,
		"etcd has no leader", "see that most of the control planes are up and reach each other on 2379 and 2380"),
	sees(ownSources, `connect: network is unreachable`,
		"the host has no route for an address that it asks", "give it a default route; for a Service's address any route will do"),
	sees(anyOf(is(kubelet, haproxy), static(staticPods...)), `no route to host|network is unreachable|connect: connection timed out`,
		"another host is not reached", "open the way between the hosts (firewall, routes)"),
}

// Diagnose finds the first known cause in what a host showed; the latest line that
// proves it is told. What others can write into a log proves nothing.
func Diagnose(host string, evidence []hosts.Evidence) (Cause, bool) {
	for _, s := range symptoms {
		for i := len(evidence) - 1; i >= 0; i-- {
			source, lines := evidence[i].Source, evidence[i].Lines
			if !s.in(source) {
				continue
			}
			for j := len(lines) - 1; j >= 0; j-- {
				if s.proves(lines[j]) && !others(source, lines[j]) {
					return Cause{
						Host: host, What: s.what, Fix: s.fix,
						Source: source, Line: strings.TrimSpace(lines[j]),
					}, true
				}
			}
		}
	}
	return Cause{}, false
}
