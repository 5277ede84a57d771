package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/cluster"
)

// TestKubeadmOfTheDefaultVersion: what depends on the Kubernetes version is as that version's own
// kubeadm has it. TestLongKubeadmOfOlderVersions holds the other minors against theirs.
func TestKubeadmOfTheDefaultVersion(t *testing.T) {
	agreesWithKubeadm(t, kubeadmBinary(), cluster.DefaultKubernetesVersion)
}

func agreesWithKubeadm(t *testing.T, kubeadm, version string) {
	t.Helper()
	v, err := cluster.ParseVersion(version)
	if err != nil {
		t.Fatal(err)
	}
	minor, found := cluster.MinorOf(v)
	if !found {
		t.Fatalf("%s has no row in the table of cluster/kubernetes.go", version)
	}
	imagesAgree(t, kubeadm, version, minor)
	configurationsAgree(t, kubeadm, minor)
	staticPodsAgree(t, kubeadm, version, minor)
}

// imagesAgree compares the tags that kubeadm computes.
func imagesAgree(t *testing.T, kubeadm, version string, minor cluster.Minor) {
	t.Helper()
	var want []string
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		want = append(want, "registry.k8s.io/"+name+":"+version)
	}
	want = append(want, "registry.k8s.io/coredns/coredns:"+minor.CoreDNSTag, "registry.k8s.io/pause:"+minor.PauseTag, "registry.k8s.io/etcd:"+minor.EtcdTag)
	got := strings.Fields(output(t, kubeadm, "config", "images", "list", "--kubernetes-version", version))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images of %s (-the table's, +kubeadm's):\n%s", version, diff)
	}
}

// configurationsAgree compares the apiVersions that kubeadm writes configurations in.
func configurationsAgree(t *testing.T, kubeadm string, minor cluster.Minor) {
	t.Helper()
	want := map[string]string{
		"InitConfiguration": minor.KubeadmAPI, "ClusterConfiguration": minor.KubeadmAPI,
		cluster.KubeletKind: cluster.KubeletAPIVersion, cluster.KubeProxyKind: cluster.KubeProxyAPIVersion,
	}
	got := map[string]string{}
	printed := output(t, kubeadm, "config", "print", "init-defaults", "--component-configs", cluster.KubeletKind+","+cluster.KubeProxyKind)
	for document := range strings.SplitSeq(printed, "\n---\n") {
		var head struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(document), &head); err != nil {
			t.Fatal(err)
		}
		got[head.Kind] = head.APIVersion
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configurations of %s (-the table's, +kubeadm's):\n%s", minor.Name, diff)
	}
}

// staticPodsAgree gives kubeadm the kubeadm-config that a cluster of the golden files has, and
// compares the manifests that it makes of it with those of the golden files.
func staticPodsAgree(t *testing.T, kubeadm, version string, minor cluster.Minor) {
	t.Helper()
	golden := filepath.Join(repository(), "testdata/golden/hosts/one-cgroup-v2")
	objects, host := archive(t, filepath.Join(golden, "objects.txtar")), archive(t, filepath.Join(golden, "cp-1.txtar"))
	of := func(text string) string { return strings.ReplaceAll(text, cluster.DefaultKubernetesVersion, version) }
	var uploaded corev1.ConfigMap
	read(t, objects["configmap kubeadm-config"], &uploaded)
	folder := t.TempDir()
	config := write(t, "kubeadm.yaml", []byte("apiVersion: "+minor.KubeadmAPI+"\nkind: InitConfiguration\n"+
		"localAPIEndpoint: {advertiseAddress: 10.90.0.11}\nnodeRegistration: {name: cp-1, criSocket: \"unix:///run/containerd/containerd.sock\"}\n"+
		"timeouts: {controlPlaneComponentHealthCheck: "+cluster.DefaultComponentHealthCheck.String()+"}\n---\n"+
		of(uploaded.Data["ClusterConfiguration"])))
	for _, phase := range [][]string{{"control-plane", "all"}, {"etcd", "local"}} {
		command := exec.Command(kubeadm, append(append([]string{"init", "phase"}, phase...), "--dry-run", "--config", config)...)
		command.Env = append(os.Environ(), "KUBEADM_INIT_DRYRUN_DIR="+folder)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		made, err := os.ReadFile(filepath.Join(folder, name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var kubeadms, ours corev1.Pod
		read(t, string(made), &kubeadms)
		read(t, of(host["/etc/kubernetes/manifests/"+name+".yaml"]), &ours)
		withoutOurOwn(&ours)
		for _, pod := range []*corev1.Pod{&ours, &kubeadms} {
			inOneForm(pod)
		}
		if diff := cmp.Diff(kubeadms, ours); diff != "" {
			t.Errorf("%s of %s (-kubeadm's, +ours):\n%s", name, version, diff)
		}
	}
}

// withoutOurOwn takes out what Slipway has on purpose and kubeadm's init has not: what restarts a
// Pod whose inputs change, and what keeps etcd from beginning a second cluster.
func withoutOurOwn(pod *corev1.Pod) {
	delete(pod.Annotations, "slipway.dev/inputs")
	if len(pod.Annotations) == 0 {
		pod.Annotations = nil
	}
	without(pod, func(v corev1.Volume) bool { return v.HostPath.Path == "/var/lib/slipway/etcd" })
	container := &pod.Spec.Containers[0]
	container.Env = slices.DeleteFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == "SLIPWAY_ETCD_NOTES" })
	if len(container.Env) == 0 {
		container.Env = nil
	}
	container.Command = slices.DeleteFunc(container.Command, func(word string) bool { return word == "--initial-cluster-state=existing" })
}

// inOneForm takes out the folders of CAs that a manifest has where the host has them, and sorts
// what has no order.
func inOneForm(pod *corev1.Pod) {
	without(pod, func(v corev1.Volume) bool { return slices.Contains(cluster.CAFolders[1:], v.HostPath.Path) })
	container := &pod.Spec.Containers[0]
	slices.Sort(container.Command[1:])
	slices.SortFunc(pod.Spec.Volumes, func(a, b corev1.Volume) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(container.VolumeMounts, func(a, b corev1.VolumeMount) int { return strings.Compare(a.Name, b.Name) })
}

// without takes out volumes and their mounts.
func without(pod *corev1.Pod, volume func(corev1.Volume) bool) {
	gone := map[string]bool{}
	pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		gone[v.Name] = volume(v)
		return gone[v.Name]
	})
	container := &pod.Spec.Containers[0]
	container.VolumeMounts = slices.DeleteFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool { return gone[m.Name] })
}

func archive(t *testing.T, path string) map[string]string {
	t.Helper()
	content, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, file := range content.Files {
		files[file.Name] = string(file.Data)
	}
	return files
}

func read(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil || text == "" {
		t.Fatalf("read %T: %v\n%s", into, err, text)
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	command := exec.Command(name, args...)
	command.Dir = repository()
	out, err := command.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			out = failed.Stderr
		}
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}
