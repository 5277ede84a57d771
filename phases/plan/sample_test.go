package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
)

// every holds one step for each action of both closed sets.
func every() Plan {
	host := []hosts.Action{
		hosts.WriteFile{Path: "/etc/kubernetes/pki/ca.crt", Mode: 0o644, Content: "sha256:aa", Size: 12, Seed: true},
		hosts.MakeDirectory{Path: "/var/lib/etcd", Mode: 0o700, UID: 1, GID: 2},
		hosts.MakeSymlink{Path: "/root/.kube/config", Target: "/etc/kubernetes/admin.conf"},
		hosts.RemovePath{Path: "/etc/kubernetes", Recursive: true},
		hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{
			{Path: "/usr/bin/runc", Layer: "sha256:bb", Entry: "runc", Digest: "sha256:cc", Size: 1_500_000, Mode: 0o755},
			{Path: "/usr/bin/kubelet", Target: "/opt/slipway/bin/kube"},
			{Path: "/usr/bin/ctr", Layer: "sha256:bb"},
		}},
		hosts.SetUnit{Name: "kubelet.service", Enabled: true, Active: true, Inputs: "sha256:dd", Reload: true, Restart: true, Steady: 5},
		hosts.StopUnits{Names: []string{"haproxy.service", "keepalived.service"}},
		hosts.LoadImage{Reference: "registry.k8s.io/pause:3.10", Manifest: hosts.ImageBlob{MediaType: "m", Digest: "sha256:ee", Size: 500}, Blobs: []hosts.ImageBlob{
			{Digest: "sha256:ff", Size: 700},
		}},
		hosts.SetSysctl{Key: "net.ipv4.ip_forward", Value: "1"},
		hosts.LoadModule{Name: "br_netfilter"},
		hosts.DisableSwap{},
		hosts.SetHostname{Name: "cp-1"},
		hosts.AddHostsEntry{Address: "10.0.0.1", Names: []string{"api", "api.example"}},
		hosts.TakeLease{Holder: "ann@laptop"},
		hosts.ReleaseLease{},
		hosts.Claim{Cluster: hosts.Identity{ID: "01", Name: "try"}},
		hosts.StopPods{Only: []string{"kube-apiserver-cp-1", "etcd-cp-1"}, Grace: 10},
		hosts.Unmount{Below: "/var/lib/kubelet"},
		hosts.RemoveNetwork{Links: []string{"cni0"}, Tables: []string{"kube-proxy"}, Chains: []string{"KUBE-SERVICES"},
			Pods: []hosts.Sandbox{{ID: "1", Namespace: "cni-1", Chains: []string{"CNI-DN-1"}}}, HostPorts: true},
		hosts.Restore{Setting: "hostname", Value: "debian"},
		hosts.TidyStore{},
		hosts.Forget{},
		hosts.UnloadImage{Name: "registry.k8s.io/pause:3.9", Digest: "sha256:e9"},
		hosts.NameImage{Name: "registry.k8s.io/pause:3.9", Digest: "sha256:e9"},
		hosts.KeepVersion{Before: "v1.37.2-0123", Version: "v1.36.3", Paths: []string{"/usr/bin/kubelet"}, Images: map[string]string{"registry.k8s.io/pause:3.9": "sha256:e9"}},
		hosts.ForgetVersion{Before: "v1.37.2-0123"},
		hosts.RunCommand{Argv: []string{"/usr/bin/mysql", "--password=hidden"}, Timeout: 60},
		hosts.Reboot{Boot: "4fbd7c5e"},
		hosts.ProveSnapshot{Content: "sha256:dd", Size: 3 << 20, Tool: "/opt/slipway/bin/etcdutl"},
		hosts.SetTimeZone{Zone: "Europe/Berlin"},
		hosts.SetNTP{Servers: []string{"ntp.example.com", "192.0.2.7"}},
		hosts.LoadPolicyModule{Content: "sha256:de", Size: 300, Labels: []string{"/opt/slipway"}},
		hosts.OpenFirewall{Kind: hosts.Firewalld, Zones: []string{"public"}, Openings: []hosts.Opening{
			{Name: "slipway-kubelet", Ports: []string{"10250/tcp"}, From: []string{"10.0.0.0/24"}, Why: "the kubelet's API"},
			{Name: "slipway-vrrp", Ports: []string{"vrrp"}, Why: "adverts"},
		}, Pods: []string{"cni0"}},
	}
	cluster := []ClusterAction{
		Apply{Object: deployment, Content: "secret:01", Secret: true, Seed: true},
		Delete{Object: hosts.ObjectKey{APIVersion: "v1", Kind: "Node", Name: "w-1"}},
		MarkNode{Node: "cp-1", Labels: map[string]string{"b": "2", "a": ""}, Taints: []string{"x=y:NoSchedule"}, RemoveTaints: []string{"z:NoExecute"}, RemoveLabels: []string{"old"}, Seal: "5ea1"},
		Cordon{Node: "w-1"},
		Uncordon{Node: "w-1"},
		Drain{Node: "w-1", By: "drain", DrainOptions: DrainOptions{Timeout: 300, GracePeriod: new(int), PodSelector: "a=b"}},
		WaitAPI{Host: "cp-1", Serving: true, Timeout: 1800, Patience: Patience{Quiet: 120, Busy: 600}},
		WaitNode{Node: "cp-1", Ready: true, DaemonSets: []hosts.ObjectKey{{Kind: "DaemonSet", Name: "ds"}}, Timeout: 1800, Patience: Patience{Quiet: 120, Busy: 300}},
		WaitPods{Host: "cp-1", Pods: []StaticPod{{Name: "etcd", Manifest: "sha256:cc"}}, Timeout: 1800, Patience: Patience{Quiet: 330, Busy: 600}},
		WaitAvailable{Object: deployment, Timeout: 1800, Patience: Patience{Quiet: 120, Busy: 300}},
		WaitBoot{Host: "w-1", Before: "4fbd7c5e", Timeout: 600},
		WaitTurn{Host: "cp-2", Timeout: 30},
		WaitEndpoint{Host: "w-1", Address: "10.0.0.9:16443", Timeout: 1800, Patience: Patience{Quiet: 120}},
		MemberAdd{Name: "cp-2", Peer: "https://10.0.0.2:2380"},
		MemberPromote{Name: "cp-2", Timeout: 1800, Patience: Patience{Quiet: 120, Busy: 600}},
		MemberRemove{ID: "8e9e05c52164694d", Name: "cp-3"},
		MoveLeader{From: "cp-3"},
		QuorumHolds{Without: "cp-1", Stays: true},
		EtcdDowngrade{Version: "3.6"},
		SnapshotEtcd{From: "cp-1", Tool: "/opt/slipway/bin/etcdutl", Version: "v1.36.3"},
		DeletePods{Node: "cp-3"},
	}
	p := Plan{Workflow: "init", Cluster: hosts.Identity{ID: "01", Name: "try"}, Warnings: []string{"swap is on"}}
	changes := []Change{Create, Update, Remove, ""}
	for i, action := range host {
		p.Steps = append(p.Steps, Step{
			ID: fmt.Sprintf("cp-1/kubelet/%d", i), Phase: "kubelet", Host: "cp-1", Lane: LaneWork,
			Why: "absent", Change: changes[i%4], Action: action,
		})
	}
	for i, action := range cluster {
		p.Steps = append(p.Steps, Step{
			ID: fmt.Sprintf("cluster/addon/%d", i), Phase: "addon", Lane: LaneWait, After: []Dependency{All("cp-1/kubelet/0"), Any("cp-1/kubelet/1", "cp-1/kubelet/2")},
			Why: "absent", Change: changes[i%4], Cluster: action,
		})
	}
	last := p.Steps[len(p.Steps)-1].ID
	p.Steps = append(p.Steps,
		Step{ID: "cp-1/etcd/back", Phase: "etcd", Host: "cp-1", Lane: LaneWork, Rescues: []string{"cp-1/kubelet/0", "cp-1/kubelet/1", last},
			Why: "as it was", Change: Update, Action: host[0]},
		Step{ID: "cluster/wait-node/back", Phase: "wait-node", Lane: LaneWait, Rescues: []string{"cp-1/kubelet/0", last}, Cluster: cluster[7]},
		Step{ID: "cluster/wait-node/uncordon", Phase: "wait-node", Lane: LaneWait, Rescues: []string{last}, Cluster: cluster[4]})
	return p
}

// describing lists the types of these files that describe themselves: a closed set.
func describing(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	receiver := regexp.MustCompile(`(?m)^func \((?:a )?(\w+)\) describe\(`)
	var names []string
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range receiver.FindAllSubmatch(source, -1) {
			names = append(names, string(match[1]))
		}
	}
	slices.Sort(names)
	return names
}

func TestEveryActionIsInTheSample(t *testing.T) {
	var host, cluster []string
	for _, step := range every().Steps {
		if step.Action != nil {
			host = append(host, reflect.TypeOf(step.Action).Name())
		} else {
			cluster = append(cluster, reflect.TypeOf(step.Cluster).Name())
		}
	}
	host, cluster = once(host), once(cluster)
	if diff := cmp.Diff(describing(t, "../../hosts/*.go"), host); diff != "" {
		t.Errorf("actions on hosts (-set +sample):\n%s", diff)
	}
	if diff := cmp.Diff(describing(t, "*.go"), cluster); diff != "" {
		t.Errorf("actions on the cluster (-set +sample):\n%s", diff)
	}
}

func once(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }
