package cluster

import (
	"slices"
	"testing"
)

// TestTheTableIsInOrder: comesWith and the skew of an upgrade go by it.
func TestTheTableIsInOrder(t *testing.T) {
	for i, minor := range minors {
		v := must(t, minor.Name+".0")
		if got, found := MinorOf(v); !found || got.Name != minor.Name || v.MinorString() != minor.Name {
			t.Errorf("%s is the row of %v, found %v", minor.Name, got.Name, found)
		}
		if i > 0 && minorsBehind(v, must(t, minors[i-1].Name+".0")) != 1 {
			t.Errorf("%s follows %s in the table", minor.Name, minors[i-1].Name)
		}
	}
	if newest := must(t, DefaultKubernetesVersion).MinorString(); newest != minors[0].Name {
		t.Errorf("the default is %s, the newest row %s", newest, minors[0].Name)
	}
}

func TestTheClustersMinor(t *testing.T) {
	for version, want := range map[string]string{"v1.36.1": "v1.36", "v1.37.2": "v1.37", "v1.35.4": "", "": ""} {
		got, err := (&Cluster{KubernetesVersion: version}).Minor()
		if got.Name != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", version, got.Name, err)
		}
	}
}

// TestAFileWithoutAVersionMeansTheBundles, and one with a version means that.
func TestAFileWithoutAVersionMeansTheBundles(t *testing.T) {
	for _, test := range []struct{ file, want string }{
		{minimal, "v1.36.3"},
		{minimal + "kubernetesVersion: v1.36.1\n", "v1.36.1"},
	} {
		c, err := LoadFor([]byte(test.file), "v1.36.3")
		if err != nil || c.KubernetesVersion != test.want {
			t.Errorf("got %+v, %v, want %s", c, err, test.want)
		}
	}
}

// TestAnOlderVersionStillHasWhatANewerHasNoMore.
func TestAnOlderVersionStillHasWhatANewerHasNoMore(t *testing.T) {
	_, err := LoadFor([]byte(minimal+"extraArgs: {etcd: [{name: experimental-corrupt-check-time, value: 1h}], kubelet: [{name: feature-gates, value: SidecarContainers=true}]}\n"), "v1.36.3")
	if err != nil {
		t.Error(err)
	}
}

func TestFieldsComeWithAMinor(t *testing.T) {
	for version, want := range map[string]string{"v1.36.3": "v1.37", "v1.37.2": "", "v1.35.0": ""} {
		got, later := comesWith(must(t, version), KubeletKind, "defaultPodSysctls")
		if got != want || later != (want != "") {
			t.Errorf("%s: got %q, %v", version, got, later)
		}
	}
	if minor, later := comesWith(must(t, "v1.36.3"), KubeProxyKind, "defaultPodSysctls"); later {
		t.Errorf("a field of another kind comes with %s", minor)
	}
	for _, minor := range Minors() {
		for kind, fields := range minor.Gone.Fields {
			if slices.Contains([]string{KubeletKind, KubeProxyKind}, kind) && len(fields) > 0 {
				continue
			}
			t.Errorf("%s: %s is no kind of a configuration, or has no fields", minor.Name, kind)
		}
	}
}
