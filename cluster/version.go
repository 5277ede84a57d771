package cluster

import (
	"cmp"
	"fmt"
	"strings"

	"golang.org/x/mod/semver"
)

// Version is a Kubernetes version.
type Version struct {
	Major, Minor, Patch int
	Pre                 string // alpha.1, rc.0; empty for a release
}

// highestPart bounds a version's numbers, so that one can be subtracted from another.
const highestPart = 999_999

// ParseVersion reads a version with its leading v. Build metadata is dropped: it says
// nothing about order.
func ParseVersion(text string) (Version, error) {
	v := Version{Pre: strings.TrimPrefix(semver.Prerelease(text), "-")}
	_, err := fmt.Sscanf(text, "v%d.%d.%d", &v.Major, &v.Minor, &v.Patch)
	if err != nil || max(v.Major, v.Minor, v.Patch) > highestPart || !semver.IsValid(text) || v.String()+semver.Build(text) != text {
		return Version{}, fmt.Errorf("%q is not a Kubernetes version", text)
	}
	return v, nil
}

func (v Version) String() string {
	text := fmt.Sprintf("v%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre != "" {
		text += "-" + v.Pre
	}
	return text
}

// MinorString is the version without its patch: v1.36.
func (v Version) MinorString() string { return fmt.Sprintf("v%d.%d", v.Major, v.Minor) }

// Compare orders versions as semantic versioning does.
func (v Version) Compare(other Version) int { return semver.Compare(v.String(), other.String()) }

// Skew is two versions that must not run in one cluster.
type Skew struct {
	What   string  // kubelet, kube-scheduler, …
	Have   Version // its version
	Beside Version // the version that runs beside it
	Rule   string  // the policy that this breaks
}

func (s *Skew) Error() string {
	return fmt.Sprintf("%s %s beside %s: %s", s.What, s.Have, s.Beside, s.Rule)
}

// kubeletSkew is how many minor versions a kubelet may be behind the API server.
const kubeletSkew = 3

// KubeletSkew checks a kubelet (and kube-proxy, which obeys the same rule) against an API
// server: never newer, and up to three minor versions older.
func KubeletSkew(kubelet, apiServer Version) error {
	behind := minorsBehind(kubelet, apiServer)
	if behind < 0 || behind > kubeletSkew {
		return &Skew{"kubelet", kubelet, apiServer,
			"a kubelet may not be newer than the API server, and at most three minor versions older"}
	}
	return nil
}

// ComponentSkew checks kube-controller-manager or kube-scheduler against the API server
// that it may talk to: never newer, and at most one minor version older.
func ComponentSkew(component string, have, apiServer Version) error {
	if behind := minorsBehind(have, apiServer); behind < 0 || behind > 1 {
		return &Skew{component, have, apiServer,
			"it may not be newer than the API server, and at most one minor version older"}
	}
	return nil
}

// APIServerSkew checks the API servers of one cluster against each other: at most one
// minor version apart.
func APIServerSkew(one, other Version) error {
	if behind := minorsBehind(one, other); behind < -1 || behind > 1 {
		return &Skew{"kube-apiserver", one, other, "the API servers of a cluster may be at most one minor version apart"}
	}
	return nil
}

// UpgradeSkew checks an upgrade's target against what runs: never back, and never over a
// minor version.
func UpgradeSkew(from, to Version) error {
	switch behind := minorsBehind(from, to); {
	case to.Compare(from) < 0:
		return &Skew{"upgrade to", to, from, "Kubernetes cannot be downgraded"}
	case behind > 1:
		return &Skew{"upgrade to", to, from, "an upgrade may not skip a minor version"}
	}
	return nil
}

// minorsBehind is by how many minor versions a is older than b; negative where it is
// newer, and far beyond any limit across major versions.
func minorsBehind(a, b Version) int {
	const acrossMajors = 1000
	if a.Major != b.Major {
		return cmp.Compare(b.Major, a.Major) * acrossMajors
	}
	return b.Minor - a.Minor
}

// Installable tells whether this Slipway can install a version: those of the minor
// version that its bundle is built for and its templates are written for.
func Installable(v Version) error {
	supported, err := ParseVersion(DefaultKubernetesVersion)
	if err != nil {
		return err
	}
	if v.Major != supported.Major || v.Minor != supported.Minor {
		return fmt.Errorf("this Slipway installs %s.x, not %s", supported.MinorString(), v)
	}
	return nil
}
