package checks

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// kubeadms are the names of kubeadm v1.37's preflight checks, of init, join and upgrade, and the check here that
// looks at the same; empty: docs/preflight.md says why there is none.
var kubeadms = map[string]string{
	"IsPrivilegedUser": "IsPrivilegedUser", "NumCPU": "NumCPU", "Mem": "Mem", "Swap": "Swap", "Firewalld": "Firewalld",
	"KubernetesVersion": "KubernetesVersion", "KubeletVersion": "KubeletVersion", "CRI": "CRI",
	"Port-": "Port", "DirAvailable-": "DirAvailable", "FileAvailable-": "FileAvailable",
	"FileExisting-mount": "FileExisting", "FileExisting-losetup": "FileExisting", "FileExisting-cp": "", "FileExisting-conntrack": "",
	"FileContent--proc-sys-net-ipv4-ip_forward": "FileContent",
	"SystemVerification":                        "SystemVerification-Kernel", "Hostname": "Hostname",
	"HTTPProxy": "HTTPProxy", "HTTPProxyCIDR": "HTTPProxyCIDR", "Service-kubelet": "", "ContainerRuntimeVersion": "", "ImagePull": "",
	"ExternalEtcdVersion": "ExternalEtcd", "ExternalEtcdClientCertificates": "",
	"CreateJob": "", "ControlPlaneNodesReady": "ClusterHealth", "StaticPodManifest": "HalfUpgraded",
}

// TestTheChecksAreDocumented: docs/preflight.md names every check there is, and every one of kubeadm's, of
// which each has one here unless the page says otherwise.
func TestTheChecksAreDocumented(t *testing.T) {
	content, err := os.ReadFile("../../docs/preflight.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)
	for name, here := range kubeadms {
		if !strings.Contains(page, name) {
			t.Errorf("kubeadm's check %s is not told of", name)
		}
		if here != "" && !slices.ContainsFunc(Table, func(c Check) bool { return c.Name == here }) {
			t.Errorf("kubeadm's check %s has no check %s here", name, here)
		}
	}
	for _, check := range Table {
		name := check.Name
		if system, part := strings.CutPrefix(name, "SystemVerification"); part && system != "-Kernel" {
			name = system
		}
		if !strings.Contains(page, name) {
			t.Errorf("the check %s is not told of", check.Name)
		}
	}
}
