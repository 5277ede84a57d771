package checks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// symptom is a known reason why something is waited for in vain, and the look that proves it. It is
// looked for only where the thing that it is about speaks: what an etcd's log says of etcd, no
// other log can.
type symptom struct {
	name string // that of the check that looks for the same before anything is changed, if there is one
	in   sources
	look proof
	seen string
	fix  string
}

// proof tells whether a line proves the symptom; later is how many lines the source said after it.
type proof func(line string, later int) bool

// says is a look for a line that matches.
func says(pattern string) proof {
	matches := regexp.MustCompile(`(?i)` + pattern).MatchString
	return func(line string, _ int) bool { return matches(line) }
}

// saysStill is a look for a line that matches among the last ones: what was so while the host came
// up is past. A kubelet that does not reach the API says so several times in as many lines.
func saysStill(pattern string) proof {
	const last = 10
	matches := says(pattern)
	return func(line string, later int) bool { return later < last && matches(line, later) }
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

// portTaken is the symptom of one component's port, whose number the host names.
func portTaken(component string) symptom {
	in := func(source string) bool {
		return strings.HasPrefix(source, "port ") && strings.HasSuffix(source, " ("+component+")")
	}
	return symptom{"Port", in, func(line string, _ int) bool { return listensInPlaceOf(component, line) }, taken, freePort}
}

// imageMissing tells whether a line proves that an image is missing. Of a runtime that does
// not answer, the kubelet says the same.
func imageMissing(line string, _ int) bool {
	return missingImage.MatchString(line) && !strings.Contains(strings.ToLower(line), "deadline")
}

var missingImage = regexp.MustCompile(`ErrImageNeverPull|is not present with pull policy of Never|failed to get sandbox image|ErrImagePull|ImagePullBackOff`)

const taken, freePort = "a port is taken", "stop what listens there: `ss -ltnp` on the host shows it"

const (
	seeContainerd    = "containerd does not answer"
	restartIfItHangs = "see `journalctl -u containerd` on the host; where it hangs: `systemctl restart containerd`"
)

// symptoms are looked for in this order: what brings about the others comes first.
var symptoms = []symptom{
	{"Answers", is(hosts.SourceHost), says(`no answer`),
		"the host does not answer, or not all of it", "see what keeps it busy: load, disks, file systems that hang"},
	{"Disk", ownSources, says(`no space left on device`),
		"a disk is full", "make room on the file system that the line names, then run the same command again"},
	{"Disk", is(hosts.SourceDisk), says(`: 0 MiB of `),
		"a disk is full", "make room on the file system that the line names, then run the same command again"},
	{"FileSystem", is(hosts.SourceFileSystem), says(`no answer`),
		"a file system hangs", "see `df` and `mount` on the host: a disk or a network file system does not answer"},
	{"EtcdQuota", static(hosts.ComponentEtcd, hosts.ComponentAPIServer), says(`etcdserver: mvcc: database space exceeded|alarm"?: ?"?NOSPACE`),
		"etcd has reached its quota", "compact and defragment etcd, and end its alarm; on a control plane: `" + freeEtcd + "`; an etcd of your own has its own endpoints and files"},
	{"Clock", ownSources, says(`x509: certificate has expired or is not yet valid.*is before|certificate is not yet valid`),
		"a certificate is not valid yet", "set the host's clock (timedatectl, chrony): it is behind the operator's"},
	{"CertificateExpiry", ownSources, says(`x509: certificate has expired or is not yet valid.*is after|certificate has expired`),
		"a certificate has expired", "set the host's clock if it is ahead, else renew the certificates"},
	{"CertificateAuthority", ownSources, says(`x509: certificate signed by unknown authority|tls: unknown certificate authority`),
		"a certificate is of another CA", "see which CA is whose: `openssl x509 -noout -issuer -in` the certificates in /etc/kubernetes/pki on the host"},
	{"Swap", is(kubelet), says(`running with swap on is not supported`),
		"swap is on", "turn swap off: `swapoff -a`, and its lines in /etc/fstab"},
	{"SystemVerification-Cgroups", is(kubelet), says(`kubelet is configured to not run on a host using cgroup v1|cgroup v1 support is (deprecated|in maintenance).*fail`),
		"the kubelet refuses cgroup v1", "boot the host with cgroup v2 (systemd.unified_cgroup_hierarchy=1), or set failCgroupV1: false"},
	{"CgroupDriver", is(kubelet, containerd), says(`expected cgroupsPath to be of format|cgroup driver: .* is different from|kubepods.* missing paths`),
		"containerd and the kubelet want different cgroup drivers", "make SystemdCgroup of containerd's configuration suit the host's cgroups, then run the same command again"},
	{"SystemVerification-Cgroups", is(kubelet, containerd), says(`failed to find subsystem mount|cgroup controllers? .*(missing|not (found|enabled))|missing required cgroups?`),
		"a cgroup controller is missing", "boot the host with the controller enabled (cgroup_enable=…)"},
	{"Port", ownSources, says(`bind: address already in use|listen tcp.*address already in use`),
		taken, freePort},
	portTaken(hosts.ComponentAPIServer), portTaken(hosts.ComponentEtcd), portTaken(hosts.ComponentKubelet),
	{"ExtraArgs", ownSources, says(`unknown flag: |unknown shorthand flag`),
		"a flag is unknown to the component", "correct extraArgs in the cluster file"},
	{"KubeletConfiguration", is(kubelet), says(`failed to (load|decode) kubelet config|strict decoding error|failed to validate kubelet configuration`),
		"the kubelet's configuration is not valid", "correct the KubeletConfiguration in the cluster file"},
	{"Mem", ownSources, says(`oomkilled|out of memory: killed process|oom-kill:|memory cgroup out of memory`),
		"the kernel killed a process for lack of memory", "give the host more memory, or run less on it"},
	{"CRI", is(hosts.SourceContainerd), says(`no answer`), seeContainerd, restartIfItHangs},
	{"CRI", is(kubelet), says(`(List\w*|Status|Version|ImageFsInfo)\b[^"]* from (runtime|image) service failed.*code = DeadlineExceeded`),
		seeContainerd, restartIfItHangs},
	{"CRI", is(kubelet), says(`unix .*containerd\.sock: connect: |container runtime is down|failed to (connect|dial).*containerd\.sock`),
		seeContainerd, restartIfItHangs},
	{"Systemd", is(hosts.SourceSystemd), says(`no answer`),
		"systemd does not answer", "see `systemctl list-jobs` and `journalctl -b -p err` on the host"},
	{"ImagePull", is(kubelet, containerd), imageMissing, "an image is missing", "run the same command again with the bundle: it loads the cluster's images"},
	{"CoreDNSLoop", container("coredns"), says(`Loop \(.*\) detected for zone`),
		"CoreDNS forwards to itself", "give the host's resolv.conf a name server other than the host itself"},
	{"NameServers", container("coredns"), says(`no nameservers found`),
		"CoreDNS forwards to the host's name servers, and there are none", "name one in the host's /etc/resolv.conf, or take the line `forward . /etc/resolv.conf` out: slipway kubectl -n kube-system edit configmap coredns"},
	{"NameServers", is(kubelet), says(`could not open resolv conf file|open (/etc|/run/systemd/resolve)/resolv\.conf: no such file`),
		"the kubelet's resolv.conf is missing", "run the same command again: it tells the kubelet what there is"},
	{"OpenFiles", ownSources, says(`too many open files|inotify_init: |inotify instances`),
		"the kernel's limit of open files or inotify instances is reached", "raise fs.inotify.max_user_instances and fs.inotify.max_user_watches"},
	{"EtcdData", static(hosts.ComponentEtcd), says(`member .* has already been bootstrapped|cluster ID mismatch|member count is unequal`),
		"etcd's data belong to another cluster", "find out whose data /var/lib/etcd on the host has, and save them (`cp -a " + manifests.EtcdData + " /root/etcd-saved`: etcd does not run there, so it takes no snapshot) before anything is removed; then reset the host"},
	{"Platform", ownSources, says(`exec format error`),
		"a binary is for another architecture", "use the bundle for the host's architecture"},
	{"LoadBalancer", is(kubelet), saysStill(`\\"https://[^"\\]+/apis?/[^"]*": dial tcp [^"]*: (connect: (no route to host|connection (refused|timed out))|i/o timeout)`),
		"the kubelet does not reach the API", "see the endpoint, its load balancer and the API servers: slipway status; then the way to them (firewall, routes)"},
	{"NetworkAddOn", is(kubelet, containerd), says(`failed to find plugin ".*" in path|cni plugin not initialized|no network config found in|/run/flannel/subnet\.env: no such file`),
		"the network add-on is not ready", "see that the add-on's Pods run on the host; with addOn: none, install one"},
	{"EtcdLeader", static(hosts.ComponentEtcd, hosts.ComponentAPIServer), says(`waiting for leader|no leader|lost leader|etcdserver: request timed out`),
		"etcd has no leader", "see that most of the control planes are up and reach each other on 2379 and 2380"},
	{"ServiceRoute", ownSources, says(`connect: network is unreachable`),
		"the host has no route for an address that it asks", "give it a default route; for a Service's address any route will do"},
	{"HostNetwork", anyOf(is(kubelet, haproxy), static(staticPods...)), says(`no route to host|network is unreachable|connect: connection timed out`),
		"another host is not reached", "open the way between the hosts (firewall, routes)"},
	// It may be of a file system that has nothing to do with what is waited for.
	{"Disk", is(hosts.SourceDisk), says(`: \d{1,2} MiB of `),
		"a disk is nearly full", "make room on the file system that the line names, then run the same command again"},
}

// Diagnose finds the first known cause in what a host showed, and tells the latest line that
// proves it. What others can write into a log proves nothing.
func Diagnose(host string, evidence []hosts.Evidence) (Finding, bool) {
	found, _, known := diagnose(host, evidence, nil)
	return found, known
}

// DiagnoseFor is Diagnose for a step: what comes of what it waits for is no cause of its waiting. Where a control
// plane's API server is waited for, its kubelet does not reach it either.
func DiagnoseFor(step plan.Step, host string, evidence []hosts.Evidence) (Finding, bool) {
	found, _, known := diagnose(host, evidence, follows(step))
	return found, known
}

// follows are the symptoms, by their checks, that come of what a step waits for.
func follows(step plan.Step) []string {
	switch step.Cluster.(type) {
	case plan.WaitAPI, plan.WaitPods, plan.MemberPromote:
		return []string{"LoadBalancer"}
	}
	return nil
}

// mostSaid is how many characters of a log's line are shown as a cause: the kubelet's tell a whole Pod at times, and
// the line stands in what is printed of a wait again and again.
const mostSaid = 320

// diagnose is Diagnose that names the source as well, and leaves some symptoms out.
func diagnose(host string, evidence []hosts.Evidence, but []string) (found Finding, source string, known bool) {
	for _, s := range symptoms {
		if slices.Contains(but, s.name) {
			continue
		}
		for _, one := range slices.Backward(evidence) {
			if !s.in(one.Source) {
				continue
			}
			for i, line := range slices.Backward(one.Lines) {
				if s.look(line, len(one.Lines)-1-i) && !others(one.Source, line) {
					found := finding(s.fix, "%s: %s says %q", s.seen, one.Source, hosts.Shorten(strings.TrimSpace(line), mostSaid))
					found.Check, found.Severity = s.name, Error
					return found.on(host), one.Source, true
				}
			}
		}
	}
	return Finding{}, "", false
}

// lasts are the causes, by their checks, that do not heal by themselves: something has to be done about
// them. All others may be over with the next try, as a host that does not answer, or an etcd without a leader.
var lasts = map[string]bool{
	"Disk": true, "EtcdQuota": true, "CertificateExpiry": true, "CertificateAuthority": true, "Swap": true,
	"SystemVerification-Cgroups": true, "CgroupDriver": true, "Port": true, "ExtraArgs": true,
	"KubeletConfiguration": true, "ImagePull": true, "CoreDNSLoop": true, "EtcdData": true, "Platform": true,
}
