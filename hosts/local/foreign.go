//go:build linux

package local

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// software is other software that does what Slipway's own does, and conflicts with it: its units,
// its binaries and the sockets that it listens at.
type software struct {
	what     string
	units    []string
	binaries []string
	sockets  []string
	fix      string
}

var conflicting = []software{
	{
		what: "containerd", units: []string{"containerd.service"}, binaries: []string{"containerd"},
		sockets: []string{containerdSocket},
		fix:     "systemctl disable --now containerd.service, and remove its package",
	}, {
		what: "docker", units: []string{"docker.service", "docker.socket"}, binaries: []string{"dockerd"},
		sockets: []string{"/run/docker.sock"},
		fix:     "systemctl disable --now docker.service docker.socket, and remove its package",
	}, {
		what: "cri-o", units: []string{"crio.service"}, binaries: []string{"crio"},
		sockets: []string{"/run/crio/crio.sock"},
		fix:     "systemctl disable --now crio.service, and remove its package",
	}, {
		what: "cri-dockerd", units: []string{"cri-docker.service", "cri-docker.socket"}, binaries: []string{"cri-dockerd"},
		sockets: []string{"/run/cri-dockerd.sock"},
		fix:     "systemctl disable --now cri-docker.service cri-docker.socket, and remove its package",
	}, {
		what: "kubelet", units: []string{"kubelet.service"}, binaries: []string{"kubelet"},
		fix: "systemctl disable --now kubelet.service, and remove its package",
	}, {
		what: "k3s", units: []string{"k3s.service", "k3s-agent.service"}, binaries: []string{"k3s"},
		sockets: []string{"/run/k3s/containerd/containerd.sock"},
		fix:     "k3s-uninstall.sh, or k3s-agent-uninstall.sh",
	}, {
		what: "rke2", units: []string{"rke2-server.service", "rke2-agent.service"}, binaries: []string{"rke2"},
		fix: "rke2-uninstall.sh",
	}, {
		what: "microk8s", units: []string{"snap.microk8s.daemon-containerd.service", "snap.microk8s.daemon-kubelite.service"},
		binaries: []string{"microk8s"}, fix: "snap remove --purge microk8s",
	}, {
		what: "k0s", units: []string{"k0scontroller.service", "k0sworker.service"}, binaries: []string{"k0s"},
		fix: "k0s stop && k0s reset",
	}, {
		// These two conflict only while they run, or if they are started at the next boot, and only
		// on a host that is to have a balancer: our unit takes precedence over a disabled one.
		what: "haproxy", units: []string{haproxyUnit},
		fix: "systemctl disable --now haproxy.service, or choose another endpoint mode or host for the load balancer",
	}, {
		what: "keepalived", units: []string{keepalivedUnit},
		fix: "systemctl disable --now keepalived.service, or choose another endpoint mode or host for the load balancer",
	},
}

// binaryPlaces are where such software puts its binaries.
var binaryPlaces = []string{"/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/opt/bin", "/snap/bin"}

// packagedDropIn is what the kubelet's own package changes kubelet.service by.
const packagedDropIn = "10-kubeadm.conf"

// observeForeign lists what is there that the record does not name.
func (h *Host) observeForeign(ctx context.Context, _ hosts.Query, facts *hosts.Facts) error {
	record := facts.Record
	for _, s := range conflicting {
		found, err := h.signsOf(ctx, s, record)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			facts.Foreign = append(facts.Foreign, hosts.Foreign{What: s.what, Detail: strings.Join(found, ", "), Fix: s.fix})
		}
	}
	for _, dir := range []string{"/etc/systemd/system", "/usr/lib/systemd/system"} {
		path := filepath.Join(dir, "kubelet.service.d", packagedDropIn)
		if h.isForeignFile(path, record) {
			facts.Foreign = append(facts.Foreign, hosts.Foreign{
				What: "kubelet", Detail: path, Fix: "rm " + path + " && systemctl daemon-reload",
			})
		}
	}
	lookingAt(ctx, "/etc/kubernetes and /var/lib/etcd")
	files, err := h.otherClusterFiles(record)
	if err != nil {
		return err
	}
	if len(files) > 0 {
		facts.Foreign = append(facts.Foreign, hosts.Foreign{
			What: "cluster", Detail: strings.Join(files, ", "),
			Fix: "if that cluster is no longer needed here: kubeadm reset",
		})
	}
	return nil
}

// signsOf is what shows that some software is there: a unit that runs or will, a binary, a
// socket that answers.
func (h *Host) signsOf(ctx context.Context, s software, record *hosts.Record) ([]string, error) {
	var found []string
	ours := false
	for _, name := range s.units {
		state, err := h.unitIfAny(ctx, name)
		if err != nil {
			return nil, err
		}
		if state.Fragment != "" {
			if _, owned := record.OwnedAt(state.Fragment); owned {
				ours = true
				continue
			}
		}
		running := state.Active == "active" || state.Active == "activating" || state.Active == "reloading"
		if running || state.Enabled == "enabled" {
			found = append(found, name+" ("+strings.TrimPrefix(state.Enabled+", "+state.Active, ", ")+")")
		}
	}
	for _, dir := range binaryPlaces {
		for _, name := range s.binaries {
			path := filepath.Join(dir, name)
			lookingAt(ctx, path)
			if h.isForeignFile(path, record) {
				found = append(found, path)
			}
		}
	}
	if len(found) > 0 || ours {
		return found, nil // the socket shows nothing more
	}
	for _, path := range s.sockets {
		if h.socketAnswers(ctx, path) {
			found = append(found, path)
		}
	}
	return found, nil
}

// isForeignFile tells whether there is something at a path that the record does not name,
// be it there itself or through a link.
func (h *Host) isForeignFile(path string, record *hosts.Record) bool {
	if _, owned := record.OwnedAt(path); owned || !h.exists(path) {
		return false
	}
	// /bin may be /usr/bin, and /usr/sbin too.
	real, err := filepath.EvalSymlinks(h.at(path))
	if err != nil {
		return true
	}
	inside, err := filepath.Rel(h.root, real)
	if err != nil {
		return true
	}
	_, owned := record.OwnedAt("/" + inside)
	return !owned
}

// socketAnswers tells whether somebody listens: a socket may outlive its daemon.
func (h *Host) socketAnswers(ctx context.Context, path string) bool {
	if !h.exists(path) {
		return false
	}
	dialer := net.Dialer{Timeout: 200 * time.Millisecond}
	conn, err := dialer.DialContext(ctx, "unix", h.at(path))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// otherClusterFiles lists what shows that the host is part of another cluster. Files that
// the record does not name are still this cluster's where its CA says so: kubeadm writes
// some when it joins or renews.
func (h *Host) otherClusterFiles(record *hosts.Record) ([]string, error) {
	if record != nil && record.Cluster.ID != "" && record.Cluster.ID == h.clusterOnDisk() {
		return nil, nil
	}
	var found []string
	for _, pattern := range []string{"/etc/kubernetes/*.conf", "/etc/kubernetes/manifests/*", "/var/lib/etcd/member"} {
		matches, err := filepath.Glob(h.at(pattern))
		if err != nil {
			return nil, err
		}
		for _, match := range matches {
			inside, err := filepath.Rel(h.root, match)
			if err != nil {
				return nil, err
			}
			path := "/" + inside
			if strings.HasPrefix(filepath.Base(path), ".") || h.isOursOrBelow(record, path) {
				continue
			}
			found = append(found, path)
		}
	}
	return found, nil
}

// isOursOrBelow tells whether the record names a path or, for data, its directory.
func (h *Host) isOursOrBelow(record *hosts.Record, path string) bool {
	if _, owned := record.OwnedAt(path); owned {
		return true
	}
	if filepath.Base(path) != "member" {
		return false
	}
	_, owned := record.OwnedAt(filepath.Dir(path))
	return owned
}

// clusterOnDisk is the identity of the cluster whose CA lies on the host: the SHA-256 of
// its public key.
func (h *Host) clusterOnDisk() string {
	data, err := os.ReadFile(h.at("/etc/kubernetes/pki/ca.crt"))
	if err != nil {
		return ""
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return ""
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return ""
	}
	digest := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(digest[:])
}
