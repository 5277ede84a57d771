package cluster

import (
	"cmp"
	"errors"
	"slices"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]Version{
		"v1.36.3":            {1, 36, 3, ""},
		"v0.0.0":             {0, 0, 0, ""},
		"v1.37.0-alpha.1":    {1, 37, 0, "alpha.1"},
		"v1.36.3-rc.0+build": {1, 36, 3, "rc.0"},
		"v1.36.3+k3s1":       {1, 36, 3, ""},
	} {
		got, err := ParseVersion(text)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "v", "1.36.3", "v1.36", "v1.36.3.4", "v01.2.3", "v1.36.3-", "v1.36.x", "v1.36.3 ", " v1.36.3", "v1.36.3-a..b", "v99999999999999999999.1.1", "v-1.2.3", "v1000000.1.1", "v1.1000000.1", "v1.1.1000000"} {
		if got, err := ParseVersion(text); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}

// In order; each must be before all that follow it.
var ordered = []string{"v1.9.9", "v1.36.0-alpha.1", "v1.36.0-alpha.2", "v1.36.0-alpha.10", "v1.36.0-alpha.beta", "v1.36.0-beta", "v1.36.0-beta.1", "v1.36.0-rc.0", "v1.36.0", "v1.36.1", "v1.36.10", "v1.37.0", "v2.0.0"}

func TestCompareVersions(t *testing.T) {
	for i, a := range ordered {
		for j, b := range ordered {
			if got := must(t, a).Compare(must(t, b)); got != cmp.Compare(i, j) {
				t.Errorf("%s against %s: %d", a, b, got)
			}
		}
		if got := must(t, a).String(); got != a {
			t.Errorf("%s is written as %s", a, got)
		}
	}
}

func must(t *testing.T, text string) Version {
	t.Helper()
	version, err := ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// For each rule: the versions allowed beside v1.36.3.
func TestSkew(t *testing.T) {
	versions := []string{"v0.36.3", "v1.32.9", "v1.33.0", "v1.34.1", "v1.35.0", "v1.36.0", "v1.36.3", "v1.36.9", "v1.37.0", "v1.38.0", "v2.36.3", "v2.0.0", "v0.1036.3"}
	rules := map[string]struct {
		rule    func(Version) error
		allowed []string
	}{
		"kubelet":    {func(v Version) error { return KubeletSkew(v, must(t, "v1.36.3")) }, []string{"v1.33.0", "v1.34.1", "v1.35.0", "v1.36.0", "v1.36.3", "v1.36.9"}},
		"component":  {func(v Version) error { return ComponentSkew("kube-scheduler", v, must(t, "v1.36.3")) }, []string{"v1.35.0", "v1.36.0", "v1.36.3", "v1.36.9"}},
		"API server": {func(v Version) error { return APIServerSkew(v, must(t, "v1.36.3")) }, []string{"v1.35.0", "v1.36.0", "v1.36.3", "v1.36.9", "v1.37.0"}},
		"upgrade to": {func(v Version) error { return UpgradeSkew(must(t, "v1.36.3"), v) }, []string{"v1.36.3", "v1.36.9", "v1.37.0"}},
		"rollback":   {func(v Version) error { return RollbackSkew(must(t, "v1.36.3"), v) }, []string{"v1.35.0", "v1.36.0", "v1.36.3"}},
		"install":    {Installable, []string{"v1.36.0", "v1.36.3", "v1.36.9", "v1.37.0"}},
	}
	for name, test := range rules {
		for _, version := range versions {
			err := test.rule(must(t, version))
			if want := slices.Contains(test.allowed, version); want != (err == nil) {
				t.Errorf("%s %s: got %v, want allowed: %v", name, version, err, want)
			}
			var skew *Skew
			if err != nil && name != "install" && !errors.As(err, &skew) {
				t.Errorf("%s %s: %T is no *Skew", name, version, err)
			}
		}
	}
}

func TestTheDefaultVersionIsInstallable(t *testing.T) {
	if err := Installable(must(t, DefaultKubernetesVersion)); err != nil {
		t.Error(err)
	}
}

func TestHops(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     []string
	}{
		{"v1.36.3", "v1.36.3", nil},
		{"v1.36.1", "v1.36.3", []string{"v1.36.3"}},
		{"v1.36.3", "v1.37.2", []string{"v1.37.2"}},
		{"v1.35.4", "v1.37.2", []string{"v1.36", "v1.37.2"}},
		{"v1.33.0", "v1.36.3", []string{"v1.34", "v1.35", "v1.36.3"}},
		{"v1.37.0-rc.0", "v1.37.0", []string{"v1.37.0"}},
		{"v1.37.2", "v1.36.3", nil},
		{"v1.37.2", "v2.0.0", nil},
	} {
		if got := Hops(must(t, test.from), must(t, test.to)); !slices.Equal(got, test.want) {
			t.Errorf("%s to %s: got %q, want %q", test.from, test.to, got, test.want)
		}
	}
}

// TestASkewSaysWhatToDoInstead, by the hops where there are any.
func TestASkewSaysWhatToDoInstead(t *testing.T) {
	v := func(text string) Version { return must(t, text) }
	for _, test := range []struct {
		err  error
		want string
	}{
		{UpgradeSkew(v("v1.35.2"), v("v1.37.2")),
			"the cluster runs v1.35.2, and the bundle has v1.37.2: a minor version may not be skipped; upgrade with a bundle of v1.36 first, and then with this one"},
		{UpgradeSkew(v("v1.34.2"), v("v1.37.2")),
			"the cluster runs v1.34.2, and the bundle has v1.37.2: a minor version may not be skipped; upgrade with a bundle of v1.35, then of v1.36 first, and then with this one"},
		{UpgradeSkew(v("v1.37.2"), v("v1.36.3")),
			"the cluster runs v1.37.2, and the bundle has v1.36.3: an upgrade never leads to an older version; to go back to what ran before the last upgrade: slipway upgrade rollback"},
		{RollbackSkew(v("v1.37.2"), v("v1.35.4")),
			"the cluster runs v1.37.2, and the hosts have kept v1.35.4: a rollback goes back by one minor version at most"},
		{RollbackSkew(v("v1.36.3"), v("v1.37.2")),
			"the cluster runs v1.36.3, and the hosts have kept v1.37.2: a rollback never leads to a newer version; to bring a newer version: slipway upgrade apply"},
		{KubeletSkew(v("v1.37.2"), v("v1.36.3")),
			"the kubelet is v1.37.2, the API server v1.36.3: a kubelet may not be newer than the API server, and at most three minor versions older; upgrade the control planes first, to v1.37.2"},
		{KubeletSkew(v("v1.33.1"), v("v1.37.2")),
			"the kubelet is v1.33.1, the API server v1.37.2: a kubelet may not be newer than the API server, and at most three minor versions older; upgrade the kubelet first, to v1.34, then v1.35, then v1.36, then v1.37.2"},
	} {
		if test.err == nil || test.err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", test.err, test.want)
		}
	}
}
