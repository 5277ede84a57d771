//go:build linux

package local_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// pair makes a self-signed certificate and its key, PEM.
func pair(t *testing.T) (cert, key []byte, id string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), hex.EncodeToString(digest[:])
}

func TestCertificatesAreJudgedWhereTheyLie(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	cert, key, _ := pair(t)
	_, otherKey, _ := pair(t)
	m.write("/pki/a.crt", string(cert))
	m.write("/pki/a.key", string(key))
	m.write("/pki/b.crt", string(cert))
	m.write("/pki/b.key", string(otherKey))
	m.write("/pki/c.crt", string(cert))
	m.write("/pki/both.pem", string(cert)+string(key))
	m.write("/pki/rubbish.crt", "not PEM")
	query := hosts.Query{}
	for _, name := range []string{"a", "b", "c", "nothing"} {
		query.Certificates = append(query.Certificates, hosts.CertificateQuery{Cert: "/pki/" + name + ".crt", Key: "/pki/" + name + ".key"})
	}
	query.Certificates = append(query.Certificates,
		hosts.CertificateQuery{Cert: "/pki/both.pem", Key: "/pki/both.pem"},
		hosts.CertificateQuery{Cert: "/pki/rubbish.crt"})
	facts := m.observe(host, query)
	want := map[string]hosts.Certificate{
		"/pki/a.crt":       {PEM: cert, KeyPresent: true, KeyMatches: true},
		"/pki/b.crt":       {PEM: cert, KeyPresent: true},
		"/pki/c.crt":       {PEM: cert},
		"/pki/both.pem":    {PEM: cert, KeyPresent: true, KeyMatches: true},
		"/pki/rubbish.crt": {},
	}
	if diff := cmp.Diff(want, facts.Certificates); diff != "" {
		t.Errorf("certificates (-want +got):\n%s", diff)
	}
	wantNoKey(t, facts, key)
}

// wantNoKey fails where facts hold a private key.
func wantNoKey(t *testing.T, facts hosts.Facts, key []byte) {
	t.Helper()
	wire, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString(key)
	if bytes.Contains(wire, []byte("PRIVATE KEY")) || bytes.Contains(wire, []byte(encoded[8:40])) {
		t.Error("a private key left the host")
	}
}

func TestKubeconfigsAreJudgedWhereTheyLie(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	cert, key, _ := pair(t)
	ca, _, _ := pair(t)
	encode := base64.StdEncoding.EncodeToString
	file := func(cluster, user string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: me@here\n"+
			"clusters: [{name: here, cluster: {server: 'https://10.0.0.1:6443', %s}}]\n"+
			"contexts: [{name: me@here, context: {cluster: here, user: me}}]\n"+
			"users: [{name: me, user: {%s}}]\n", cluster, user)
	}
	m.write("/k/kubelet.pem", string(cert)+string(key))
	m.write("/k/ca.crt", string(ca))
	caData := "certificate-authority-data: " + encode(ca)
	m.write("/k/embedded.conf", file(caData, "client-certificate-data: "+encode(cert)+", client-key-data: "+encode(key)))
	m.write("/k/files.conf", file("certificate-authority: ca.crt", "client-certificate: /k/kubelet.pem, client-key: /k/kubelet.pem"))
	m.write("/k/token.conf", file(caData, "token: s3cr3t"))
	m.write("/k/stranger.conf", strings.Replace(file(caData, ""), "name: me, user", "name: you, user", 1))
	m.write("/k/merged.conf", strings.Replace(file(caData, "client-certificate-data: "+encode(cert)+", client-key-data: "+encode(key)),
		"current-context: me@here\n", "current-context: gone\n", 1))
	m.write("/k/rubbish.conf", "{client-key-data: "+encode(key)+"\n: :")
	facts := m.observe(host, hosts.Query{Kubeconfigs: []string{
		"/k/embedded.conf", "/k/files.conf", "/k/token.conf", "/k/stranger.conf", "/k/rubbish.conf", "/k/merged.conf", "/k/nothing.conf",
	}})
	base := hosts.Kubeconfig{Server: "https://10.0.0.1:6443", CA: ca, User: "me", Context: "me@here"}
	embedded, files, stranger := base, base, base
	embedded.Cert, embedded.KeyMatches = cert, true
	files.Cert, files.KeyMatches, files.CertFile = cert, true, "/k/kubelet.pem"
	stranger.Invalid = `it has no user "me"`
	want := map[string]hosts.Kubeconfig{
		"/k/embedded.conf": embedded, "/k/files.conf": files, "/k/token.conf": base, "/k/stranger.conf": stranger,
		"/k/merged.conf": {
			Context: "gone", Invalid: `its context "gone" is not among its contexts, or has no cluster`,
			Others: []hosts.Kubeconfig{embedded},
		},
		"/k/rubbish.conf": {Invalid: "it is not YAML of a kubeconfig's form"},
	}
	if diff := cmp.Diff(want, facts.Kubeconfigs); diff != "" {
		t.Errorf("kubeconfigs (-want +got):\n%s", diff)
	}
	wantNoKey(t, facts, key)
	if wire := fmt.Sprint(facts); strings.Contains(wire, "s3cr3t") {
		t.Error("a token left the host")
	}
}

// foreignCases are given a CA and the identity of its cluster.
var foreignCases = []struct {
	name  string
	build func(m *machine, host hosts.Host, ca []byte, id string)
	want  []string
}{
	{"nothing", func(*machine, hosts.Host, []byte, string) {}, nil},
	{"Docker that runs", func(m *machine, _ hosts.Host, _ []byte, _ string) {
		m.systemd.units["docker.service"] = unit("loaded", "active", "enabled", "/lib/systemd/system/docker.service")
	}, []string{"docker: docker.service (enabled, active)"}},
	{"containerd that is off", func(m *machine, _ hosts.Host, _ []byte, _ string) {
		m.systemd.units["containerd.service"] = unit("loaded", "inactive", "disabled", "/lib/systemd/system/containerd.service")
	}, nil},
	{"balancers of the distribution, one running, one for the next boot", func(m *machine, _ hosts.Host, _ []byte, _ string) {
		m.systemd.units["haproxy.service"] = unit("loaded", "active", "disabled", "/lib/systemd/system/haproxy.service")
		m.systemd.units["keepalived.service"] = unit("loaded", "inactive", "enabled", "/lib/systemd/system/keepalived.service")
	}, []string{"haproxy: haproxy.service (disabled, active)", "keepalived: keepalived.service (enabled, inactive)"}},
	{"balancers of the distribution that are off", func(m *machine, _ hosts.Host, _ []byte, _ string) {
		m.write("/usr/sbin/haproxy", "")
		m.systemd.units["haproxy.service"] = unit("loaded", "inactive", "disabled", "/lib/systemd/system/haproxy.service")
	}, nil},
	{"our own balancer", func(m *machine, host hosts.Host, ca []byte, id string) {
		m.do(host, m.writeFile(host, "/etc/systemd/system/haproxy.service", "", 0o644))
		m.systemd.units["haproxy.service"] = unit("loaded", "active", "enabled", "/etc/systemd/system/haproxy.service")
	}, nil},
	{"a packaged kubelet", func(m *machine, _ hosts.Host, _ []byte, _ string) {
		m.write("/usr/bin/kubelet", "")
		m.write("/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf", "")
	}, []string{"kubelet: /usr/bin/kubelet", "kubelet: /usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"}},
	{"our own kubelet", func(m *machine, host hosts.Host, ca []byte, id string) {
		m.do(host, m.writeFile(host, "/usr/bin/kubelet", "", 0o755))
		m.do(host, m.writeFile(host, "/etc/systemd/system/kubelet.service", "", 0o644))
		m.systemd.units["kubelet.service"] = unit("loaded", "active", "enabled", "/etc/systemd/system/kubelet.service")
	}, nil},
	{"a socket that answers", func(m *machine, _ hosts.Host, _ []byte, _ string) {
		m.write("/run/crio/.keep", "")
		listen(m.t, m.at("/run/crio/crio.sock"))
	}, []string{"cri-o: /run/crio/crio.sock"}},
	{"a socket whose daemon is gone", func(m *machine, _ hosts.Host, _ []byte, _ string) {
		m.write("/run/crio/.keep", "")
		listen(m.t, m.at("/run/crio/crio.sock")).SetUnlinkOnClose(false)
		m.write("/run/docker.sock", "")
	}, []string{"cri-o: /run/crio/crio.sock"}},
	{"another cluster", func(m *machine, _ hosts.Host, _ []byte, _ string) {
		m.write("/etc/kubernetes/admin.conf", "")
		m.write("/etc/kubernetes/manifests/.hidden", "")
		m.write("/etc/kubernetes/manifests/etcd.yaml", "")
		m.write("/var/lib/etcd/member/wal", "")
	}, []string{"cluster: /etc/kubernetes/admin.conf, /etc/kubernetes/manifests/etcd.yaml, /var/lib/etcd/member"}},
	{"our own cluster, half made", func(m *machine, host hosts.Host, ca []byte, id string) {
		m.do(host, m.writeFile(host, "/etc/kubernetes/admin.conf", "", 0o600))
		m.do(host, hosts.MakeDirectory{Path: "/var/lib/etcd", Mode: 0o700})
		m.write("/var/lib/etcd/member/wal", "")
	}, nil},
	{"what kubeadm wrote into our own cluster", func(m *machine, host hosts.Host, ca []byte, id string) {
		m.do(host, hosts.Claim{Cluster: hosts.Identity{ID: id, Name: "ours"}})
		m.write("/etc/kubernetes/pki/ca.crt", string(ca))
		m.write("/etc/kubernetes/kubelet.conf", "")
	}, nil},
	{"another cluster's files under our claim", func(m *machine, host hosts.Host, ca []byte, id string) {
		m.do(host, hosts.Claim{Cluster: hosts.Identity{ID: "another", Name: "ours"}})
		m.write("/etc/kubernetes/pki/ca.crt", string(ca))
		m.write("/etc/kubernetes/kubelet.conf", "")
	}, []string{"cluster: /etc/kubernetes/kubelet.conf"}},
}

func TestForeign(t *testing.T) {
	ca, _, id := pair(t)
	for _, test := range foreignCases {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t)
			m.t = t
			host := m.host()
			test.build(m, host, ca, id)
			var got []string
			for _, foreign := range m.observe(host, hosts.Query{}).Foreign {
				got = append(got, foreign.What+": "+foreign.Detail)
				if foreign.Fix == "" {
					t.Errorf("%s has no fix", foreign.What)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("foreign (-want +got):\n%s", diff)
			}
		})
	}
}

func listen(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// TestRealFacts looks at the machine that the test runs on: nothing is changed there.
func TestRealFacts(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, text, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	host, err := local.New(local.Options{
		StateDir: dir, RunDir: dir, Systemd: newFakeSystemd(), Containerd: &fakeContainerd{},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	facts, err := host.Observe(t.Context(), hosts.Query{Ports: []int{port}, Evidence: true})
	if err != nil {
		t.Fatal(err)
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if facts.Hostname != name || facts.Kernel != release(t) || facts.CPUs == 0 || facts.Memory < 1<<20 || len(facts.Disks) == 0 {
		t.Errorf("facts are %+v", facts)
	}
	if got := facts.Listeners[port]; got != "exe" && !strings.HasSuffix(got, ".test") {
		t.Errorf("port %d is listened at by %q", port, got)
	}
	if len(facts.Interfaces) != 1 || facts.Interfaces[0].Name != "lo" || !facts.Interfaces[0].Up {
		t.Errorf("interfaces are %+v", facts.Interfaces)
	}
}

func TestEvidence(t *testing.T) {
	m := newMachine(t)
	m.write("/var/log/pods/bad/0.log", "2026-01-01T00:00:00Z stderr F panic: older\n")
	m.write("/var/log/pods/bad/1.log", "2026-01-01T00:00:00Z stdout F starting\n2026-01-01T00:00:01Z stderr F panic:\x1b[2J no \x1b[31mdata\x1b[0m\u202e\n")
	m.write("/var/log/pods/tenant/0.log", "2026-01-01T00:00:00Z stdout F member 1 has already been bootstrapped\n")
	m.systemd.units["kubelet.service"] = local.UnitState{Load: "loaded", Active: "activating", Sub: "auto-restart", Restarts: 7}
	m.systemd.units["haproxy.service"] = local.UnitState{Load: "loaded", Active: "failed", Sub: "failed"}
	m.systemd.journal = []string{"failed to load kubelet config\r", "\tof a line\x07"}
	m.containerd.containers = []local.Container{
		{Pod: "kube-system/etcd-cp-1", Name: "bad", ExitCode: 2, Reason: "Error", Attempt: 0, Log: "/var/log/pods/bad/0.log"},
		{Pod: "kube-system/etcd-cp-1", Name: "bad", ExitCode: 2, Reason: "Error", Attempt: 1, Log: "/var/log/pods/bad/1.log"},
		{Pod: "default/app", Name: "bad", ExitCode: 2, Reason: "Error", Attempt: 1, Log: "/var/log/pods/tenant/0.log"},
		{Pod: "kube-tenant/etcd-cp-1", Name: "etcd", ExitCode: 2, Attempt: 1, Log: "/var/log/pods/tenant/0.log"},
	}
	facts := m.observe(m.host(), hosts.Query{Evidence: true, APIPort: 7443})
	found := map[string][]string{}
	for _, evidence := range facts.Evidence {
		found[evidence.Source] = evidence.Lines
	}
	said := []string{`failed to load kubelet config\u000d`, ` of a line\u0007`}
	want := map[string][]string{
		"kubelet.service":                     append([]string{"activating auto-restart, restarted 7 times"}, said...),
		"containerd.service":                  {"there is no such unit"},
		"haproxy.service":                     append([]string{"failed failed, restarted 0 times"}, said...),
		"container kube-system/etcd-cp-1/bad": {"ended with code 2 Error, started 2 times", "starting", `panic:\u001b[2J no data\u202e`},
		"port 7443 (kube-apiserver)":          {"nobody listens"},
	}
	for source, lines := range want {
		if diff := cmp.Diff(lines, found[source]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", source, diff)
		}
	}
	for source := range found {
		if strings.Contains(source, "default/") || strings.Contains(source, "tenant") {
			t.Errorf("the log of somebody else's Pod was read: %s", source)
		}
	}
	if _, ok := found["keepalived.service"]; ok {
		t.Error("a balancer that the host does not carry is no evidence")
	}
	if len(found["clock"]) == 0 {
		t.Error("the clock is missing")
	}
}

// TestEvidenceNamesWhoDoesNotAnswer: a containerd that is stopped is told, and what the
// others show as well.
func TestEvidenceNamesWhoDoesNotAnswer(t *testing.T) {
	m := newMachine(t)
	m.systemd.units["kubelet.service"] = local.UnitState{Load: "loaded", Active: "active", Sub: "running"}
	m.containerd.hung = true
	facts := m.observe(m.open(local.Options{Timeout: 1500 * time.Millisecond}), hosts.Query{Evidence: true, APIPort: 7443})
	found := map[string][]string{}
	for _, evidence := range facts.Evidence {
		found[evidence.Source] = evidence.Lines
	}
	if lines := found["containerd"]; len(lines) != 1 || lines[0] != "no answer within 1s" {
		t.Errorf("containerd's silence is not told: %q", found)
	}
	if len(found["kubelet.service"]) == 0 || len(found["port 7443 (kube-apiserver)"]) == 0 {
		t.Errorf("what the others show is missing: %q", found)
	}
}

// TestSlowJournalIsNotSystemdsSilence: on a busy host only the lines are missing.
func TestSlowJournalIsNotSystemdsSilence(t *testing.T) {
	m := newMachine(t)
	m.systemd.units["kubelet.service"] = local.UnitState{Load: "loaded", Active: "active", Sub: "running"}
	m.systemd.slowJournal = true
	for _, evidence := range m.observe(m.open(local.Options{Timeout: 1500 * time.Millisecond}), hosts.Query{Evidence: true, APIPort: 7443}).Evidence {
		if evidence.Source == "systemd" {
			t.Errorf("systemd is blamed: %q", evidence.Lines)
		}
	}
}
