package manifests

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// object finds the content of an object by kind and name.
func object(t *testing.T, in Input, kind, name string) []byte {
	t.Helper()
	state, err := ClusterObjects(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range state.Objects {
		if o.Key.Kind == kind && o.Key.Name == name {
			return o.Content
		}
	}
	t.Fatalf("there is no %s %s", kind, name)
	return nil
}

func data(t *testing.T, in Input, name, key string) string {
	t.Helper()
	var configMap corev1.ConfigMap
	if err := json.Unmarshal(object(t, in, "ConfigMap", name), &configMap); err != nil {
		t.Fatal(err)
	}
	return configMap.Data[key]
}

func TestObjectsAreOnceAndInOrder(t *testing.T) {
	state, err := ClusterObjects(input(t, three(), modern()))
	if err != nil {
		t.Fatal(err)
	}
	seen, last := map[hosts.ObjectKey]bool{}, 0
	for _, o := range state.Objects {
		if seen[o.Key] {
			t.Errorf("%s is there twice", o.Key)
		}
		seen[o.Key] = true
		at := slices.Index(ObjectPhases, o.Phase)
		if at < last {
			t.Errorf("%s of %s comes too late", o.Key, o.Phase)
		}
		last = max(last, at)
	}
}

// TestObjectsSayOnlyWhatIsWanted: an object is compared by the fields that we give, so a
// null or a status in it would differ for ever.
func TestObjectsSayOnlyWhatIsWanted(t *testing.T) {
	state, err := ClusterObjects(input(t, three(), modern()))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range state.Objects {
		var fields map[string]any
		if err := json.Unmarshal(o.Content, &fields); err != nil {
			t.Fatal(err)
		}
		if _, has := fields["status"]; has || strings.Contains(string(o.Content), ":null") {
			t.Errorf("%s has a status or a null: %s", o.Key, o.Content)
		}
	}
}

// TestSettingsComeBackFromTheCluster: what was chosen at init is what a later join reads.
func TestSettingsComeBackFromTheCluster(t *testing.T) {
	for name, facts := range map[string]hosts.Facts{"modern": modern(), "confined": confined(), "old": {Kernel: "4.18.0", IPTables: true, NFTables: true}} {
		in := input(t, three(), facts)
		got, err := SettingsFromObjects(object(t, in, "ConfigMap", "kubelet-config"), object(t, in, "ConfigMap", "kube-proxy"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in.Settings, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if _, err := SettingsFromObjects([]byte(`{"data":{}}`), []byte(`{}`)); err == nil {
		t.Error("ConfigMaps without their keys are taken for settings")
	}
}

func TestSettingsFollowTheWeakestHost(t *testing.T) {
	for _, test := range []struct {
		name  string
		facts map[string]hosts.Facts
		want  Settings
	}{
		{"modern", map[string]hosts.Facts{"a": modern(), "b": modern()}, Settings{FailCgroupV1: true, ProxyMode: "nftables"}},
		{"one confined", map[string]hosts.Facts{"a": modern(), "b": confined()}, Settings{ProxyMode: "nftables", ConntrackMaxPerCore: new(int32)}},
		{"one old", map[string]hosts.Facts{"a": modern(), "b": withKernel("5.12.9")}, Settings{FailCgroupV1: true, ProxyMode: "iptables"}},
		{"just new enough", map[string]hosts.Facts{"a": withKernel("5.13.0-19-generic")}, Settings{FailCgroupV1: true, ProxyMode: "nftables"}},
	} {
		if diff := cmp.Diff(test.want, SettingsFromFacts(test.facts)); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
	}
}

func withKernel(version string) hosts.Facts {
	facts := modern()
	facts.Kernel = version
	return facts
}

// TestUnmetSettings: hosts that can have what was chosen for them have nothing against
// it, and each thing that one lacks is said.
func TestUnmetSettings(t *testing.T) {
	for _, facts := range []hosts.Facts{modern(), confined()} {
		settings := SettingsFromFacts(map[string]hosts.Facts{"a": facts})
		if reasons := settings.Unmet(facts); len(reasons) > 0 {
			t.Errorf("a host cannot have its own settings: %v", reasons)
		}
	}
	strict := SettingsFromFacts(map[string]hosts.Facts{"a": modern()})
	poor := confined()
	poor.NFTables = false
	if reasons := strict.Unmet(poor); len(reasons) != 3 {
		t.Errorf("want three reasons (control groups, nftables, conntrack), got %q", reasons)
	}
	old := Settings{ProxyMode: ProxyIPTables, ConntrackMaxPerCore: new(int32)}
	if reasons := old.Unmet(hosts.Facts{Kernel: "6.18"}); len(reasons) != 1 {
		t.Errorf("want one reason (iptables), got %q", reasons)
	}
}

func TestKubeadmConfig(t *testing.T) {
	var plain, full map[string]any
	for c, into := range map[*cluster.Cluster]*map[string]any{one(): &plain, three(): &full} {
		if err := yaml.Unmarshal([]byte(data(t, input(t, c, modern()), "kubeadm-config", "ClusterConfiguration")), into); err != nil {
			t.Fatal(err)
		}
	}
	if _, has := plain["controlPlaneEndpoint"]; has {
		t.Error("the only control plane's own address is no controlPlaneEndpoint")
	}
	if got := full["controlPlaneEndpoint"]; got != "api.three.example:8443" {
		t.Errorf("controlPlaneEndpoint is %v", got)
	}
	etcd := plain["etcd"].(map[string]any)["local"].(map[string]any)
	if etcd["imageTag"] != "3.7.3-0" {
		t.Errorf("etcd's tag is %v, though kubeadm would compute another", etcd["imageTag"])
	}
	if dns := plain["dns"].(map[string]any); len(dns) != 0 {
		t.Errorf("dns says %v, though kubeadm computes the same", dns)
	}
}

func TestNamedEndpointOfOneControlPlane(t *testing.T) {
	c := one()
	c.Endpoint.Host = "api.one.example"
	in := input(t, c, modern())
	if text := data(t, in, "kubeadm-config", "ClusterConfiguration"); !strings.Contains(text, "controlPlaneEndpoint: api.one.example:6443\n") {
		t.Errorf("the endpoint's name is missing:\n%s", text)
	}
	want := []HostsEntry{{Address: "10.90.0.11", Names: []string{"api.one.example"}}}
	if diff := cmp.Diff(want, render(t, in, "worker-1").Entries); diff != "" {
		t.Error(diff)
	}
}

func TestUsersDocumentsAreLaidOver(t *testing.T) {
	in := input(t, three(), modern())
	kubelet := data(t, in, "kubelet-config", "kubelet")
	for _, line := range []string{"maxPods: 200\n", "    cacheTTL: 1m0s\n    enabled: true\n", "rotateCertificates: true\n"} {
		if !strings.Contains(kubelet, line) {
			t.Errorf("%q is missing in\n%s", line, kubelet)
		}
	}
	if proxy := data(t, in, "kube-proxy", "config.conf"); !strings.Contains(proxy, "nodePortAddresses:\n- primary\n") {
		t.Errorf("the user's field is missing in\n%s", proxy)
	}
	in.Cluster.KubeProxy = map[string]any{"mode": "nonsense", "modus": "x"}
	if _, err := ClusterObjects(in); err == nil || !strings.Contains(err.Error(), `unknown field "modus"`) {
		t.Errorf("a field that kube-proxy does not have: got %v", err)
	}
}

func TestOverlay(t *testing.T) {
	base := map[string]any{"a": map[string]any{"x": 1, "y": 2}, "list": []any{1, 2}, "gone": true, "kept": "k"}
	over := map[string]any{"a": map[string]any{"y": 3}, "list": []any{9}, "gone": nil, "new": "n"}
	want := document{"a": map[string]any{"x": 1, "y": 3}, "list": []any{9}, "kept": "k", "new": "n"}
	if diff := cmp.Diff(want, overlay(base, over)); diff != "" {
		t.Error(diff)
	}
	if base["a"].(map[string]any)["y"] != 2 {
		t.Error("what is laid under was changed")
	}
}

// TestObjectsFitTheirTypes: a field that its API does not have would be dropped in silence.
func TestObjectsFitTheirTypes(t *testing.T) {
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, in := range []Input{input(t, one(), modern()), input(t, one(), withKernel("5.4.0")), input(t, three(), confined())} {
		state, err := ClusterObjects(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range state.Objects {
			if _, _, err := strict.Decode(o.Content, nil, nil); err != nil {
				t.Errorf("%s: %v", o.Key, err)
			}
		}
	}
}

// TestAddOnsRestartWithTheirConfiguration: what reads its ConfigMap once gets new Pods
// when that changes.
func TestAddOnsRestartWithTheirConfiguration(t *testing.T) {
	for _, set := range []string{proxyName, "kube-flannel-ds"} {
		before := object(t, input(t, one(), modern()), "DaemonSet", set)
		after := object(t, input(t, one(), withKernel("5.4.0")), "DaemonSet", set)
		if string(before) == string(after) {
			t.Errorf("%s is the same with nftables and with iptables", set)
		}
	}
}

// TestOnlyIPTablesTakesItsLock: with nftables the host is spared a file that nothing uses.
func TestOnlyIPTablesTakesItsLock(t *testing.T) {
	for _, set := range []string{proxyName, "kube-flannel-ds"} {
		nft := string(object(t, input(t, one(), modern()), "DaemonSet", set))
		iptables := string(object(t, input(t, one(), withKernel("5.4.0")), "DaemonSet", set))
		if strings.Contains(nft, "/run/xtables.lock") || !strings.Contains(iptables, "/run/xtables.lock") {
			t.Errorf("%s: shares the lock with nftables or does not with iptables", set)
		}
	}
}

func TestNoAddOnOfTheUsersOwnKind(t *testing.T) {
	c := one()
	c.Networking.AddOn = cluster.AddOnNone
	in := input(t, c, modern())
	state, err := ClusterObjects(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range state.Objects {
		if o.Phase == plan.PhaseAddonFlannel {
			t.Errorf("%s is there", o.Key)
		}
	}
}

func TestBootstrapToken(t *testing.T) {
	got, err := BootstrapToken(Token{
		ID: "abcdef", Secret: "0123456789abcdef", Expiration: "2026-03-02T12:00:00Z",
		Usages: []string{"authentication", "signing"}, Groups: []string{groupBootstrappers},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := hosts.ObjectKey{APIVersion: "v1", Kind: "Secret", Namespace: "kube-system", Name: "bootstrap-token-abcdef"}
	if got.Key != want || !got.Secret {
		t.Errorf("got %+v, secret %v", got.Key, got.Secret)
	}
	var secret corev1.Secret
	if err := json.Unmarshal(got.Content, &secret); err != nil {
		t.Fatal(err)
	}
	wantData := map[string][]byte{
		"token-id": []byte("abcdef"), "token-secret": []byte("0123456789abcdef"),
		"expiration":                     []byte("2026-03-02T12:00:00Z"),
		"usage-bootstrap-authentication": []byte("true"), "usage-bootstrap-signing": []byte("true"),
		"auth-extra-groups": []byte("system:bootstrappers:kubeadm:default-node-token"),
	}
	if diff := cmp.Diff(wantData, secret.Data); diff != "" || secret.Type != "bootstrap.kubernetes.io/token" {
		t.Errorf("type %s:\n%s", secret.Type, diff)
	}
}

func TestAddresses(t *testing.T) {
	six := cluster.Host{Name: "six", Addresses: []string{"fd00::1"}}
	if got := PeerURL(six); got != "https://[fd00::1]:2380" {
		t.Errorf("peer URL is %s", got)
	}
	if host, port := splitAddress(APIAddress(&cluster.Cluster{}, six)); host != "fd00::1" || port != "6443" {
		t.Errorf("the API's address splits into %s and %s", host, port)
	}
}

// TestTheInventoryFindsWhatIsApplied: every object that Slipway keeps as it should be has the label
// and is of a kind, and in a namespace, that is looked through. What users own has none.
func TestTheInventoryFindsWhatIsApplied(t *testing.T) {
	for _, c := range []*cluster.Cluster{one(), three(), vip(), local(), loadBalancers(), externalEtcd()} {
		in := input(t, c, modern())
		state, err := ClusterObjects(in)
		if err != nil {
			t.Fatal(err)
		}
		info, err := ClusterInfo(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range append(state.Objects, info) {
			var meta metav1.PartialObjectMetadata
			if err := json.Unmarshal(o.Content, &meta); err != nil {
				t.Fatal(err)
			}
			label, has := meta.Labels[hosts.LabelInventory]
			kind := o.Key
			kind.Name = ""
			switch {
			case o.Compare == Seed:
				if has {
					t.Errorf("%s is its users', and has the label", o.Key)
				}
			case len(validation.IsValidLabelValue(label)) > 0 || plan.PhaseOf(label) != o.Phase:
				t.Errorf("%s has the label %q", o.Key, label)
			case o.Key.Kind != "Namespace" && !slices.Contains(Inventory(), kind):
				t.Errorf("%s would not be found", o.Key)
			}
		}
	}
	once := map[hosts.ObjectKey]bool{}
	for _, kind := range Inventory() {
		if kind.APIVersion = path.Dir(kind.APIVersion); once[kind] {
			t.Errorf("%+v is looked for in two versions", kind)
		}
		once[kind] = true
	}
	object(t, input(t, one(), modern()), FlannelKey.Kind, FlannelKey.Name)
	token, err := BootstrapToken(Token{ID: "abcdef"})
	if err != nil || strings.Contains(string(token.Content), hosts.LabelInventory) {
		t.Errorf("a token ends by itself: %s, %v", token.Content, err)
	}
}
