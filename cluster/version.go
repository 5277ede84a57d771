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

// Skew is two versions that must not run in one cluster, or of which the one must not follow the
// other.
type Skew struct {
	Versions string // what has which of them
	Rule     string // the policy that this breaks
	Fix      string // what to do instead; empty where it depends
}

// Seen is the skew without what to do.
func (s *Skew) Seen() string { return s.Versions + ": " + s.Rule }

func (s *Skew) Error() string {
	if s.Fix == "" {
		return s.Seen()
	}
	return s.Seen() + "; " + s.Fix
}

func skewOf(rule, versions string, args ...any) *Skew {
	return &Skew{Versions: fmt.Sprintf(versions, args...), Rule: rule}
}

// kubeletSkew is how many minor versions a kubelet may be behind the API server.
const kubeletSkew = 3

// KubeletSkew checks a kubelet (and kube-proxy, which obeys the same rule) against an API
// server: never newer, and up to three minor versions older.
func KubeletSkew(kubelet, apiServer Version) error {
	behind := minorsBehind(kubelet, apiServer)
	if behind >= 0 && behind <= kubeletSkew {
		return nil
	}
	skew := skewOf("a kubelet may not be newer than the API server, and at most three minor versions older",
		"the kubelet is %s, the API server %s", kubelet, apiServer)
	if behind < 0 {
		skew.Fix = "upgrade the control planes first" + byWayOf(", to ", apiServer, kubelet)
	} else {
		skew.Fix = "upgrade the kubelet first" + byWayOf(", to ", kubelet, apiServer)
	}
	return skew
}

// ComponentSkew checks kube-controller-manager or kube-scheduler against the API server
// that it may talk to: never newer, and at most one minor version older.
func ComponentSkew(component string, have, apiServer Version) error {
	if behind := minorsBehind(have, apiServer); behind < 0 || behind > 1 {
		return skewOf("it may not be newer than the API server, and at most one minor version older", "%s is %s, the API server %s", component, have, apiServer)
	}
	return nil
}

// APIServerSkew checks the API servers of one cluster against each other: at most one
// minor version apart.
func APIServerSkew(one, other Version) error {
	if behind := minorsBehind(one, other); behind < -1 || behind > 1 {
		return skewOf("the API servers of a cluster may be at most one minor version apart", "one API server is %s, another %s", one, other)
	}
	return nil
}

// UpgradeSkew checks an upgrade's target against what runs: never back, and never over a
// minor version.
func UpgradeSkew(from, to Version) error {
	const versions = "the cluster runs %s, and the bundle has %s"
	switch behind := minorsBehind(from, to); {
	case to.Compare(from) < 0:
		skew := skewOf("an upgrade never leads to an older version", versions, from, to)
		skew.Fix = "to go back to what ran before the last upgrade: slipway upgrade rollback"
		return skew
	case behind > 1:
		skew := skewOf("a minor version may not be skipped", versions, from, to)
		if hops := Hops(from, to); len(hops) > 1 {
			skew.Fix = "upgrade with a bundle of " + strings.Join(hops[:len(hops)-1], ", then of ") + " first, and then with this one"
		}
		return skew
	}
	return nil
}

// RollbackSkew checks the version that a rollback leads to against what runs: as far back as one
// minor version, which is as far as one upgrade leads. What etcd's and the API's data allow is
// another matter.
func RollbackSkew(from, to Version) error {
	const versions = "the cluster runs %s, and the hosts have kept %s"
	switch behind := minorsBehind(to, from); {
	case to.Compare(from) > 0:
		skew := skewOf("a rollback never leads to a newer version", versions, from, to)
		skew.Fix = "to bring a newer version: slipway upgrade apply"
		return skew
	case behind > 1:
		return skewOf("a rollback goes back by one minor version at most", versions, from, to)
	}
	return nil
}

// Hops are the upgrades, one after another, that lead from a version to a newer one: a patch of
// each minor version in between, named by the minor, and the version itself. None where nothing
// is to be upgraded, or nothing leads there.
func Hops(from, to Version) []string {
	if from.Major != to.Major || to.Compare(from) <= 0 {
		return nil
	}
	var hops []string
	for minor := from.Minor + 1; minor < to.Minor; minor++ {
		hops = append(hops, Version{Major: from.Major, Minor: minor}.MinorString())
	}
	return append(hops, to.String())
}

// byWayOf says the hops after a word, where there are any.
func byWayOf(word string, from, to Version) string {
	hops := Hops(from, to)
	if len(hops) == 0 {
		return ""
	}
	return word + strings.Join(hops, ", then ")
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
