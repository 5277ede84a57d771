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
	What   string  // kubelet, kube-scheduler, …
	Have   Version // its version
	Beside Version // the version that runs beside it
	Rule   string  // the policy that this breaks
	Fix    string  // what to do instead
}

func (s *Skew) Error() string {
	text := fmt.Sprintf("%s %s beside %s: %s", s.What, s.Have, s.Beside, s.Rule)
	if s.Fix != "" {
		text += "; " + s.Fix
	}
	return text
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
	skew := &Skew{What: "kubelet", Have: kubelet, Beside: apiServer,
		Rule: "a kubelet may not be newer than the API server, and at most three minor versions older"}
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
		return &Skew{What: component, Have: have, Beside: apiServer,
			Rule: "it may not be newer than the API server, and at most one minor version older"}
	}
	return nil
}

// APIServerSkew checks the API servers of one cluster against each other: at most one
// minor version apart.
func APIServerSkew(one, other Version) error {
	if behind := minorsBehind(one, other); behind < -1 || behind > 1 {
		return &Skew{What: "kube-apiserver", Have: one, Beside: other, Rule: "the API servers of a cluster may be at most one minor version apart"}
	}
	return nil
}

// UpgradeSkew checks an upgrade's target against what runs: never back, and never over a
// minor version.
func UpgradeSkew(from, to Version) error {
	switch behind := minorsBehind(from, to); {
	case to.Compare(from) < 0:
		return &Skew{What: "upgrade to", Have: to, Beside: from, Rule: "an upgrade never leads to an older version",
			Fix: "to go back to what ran before, slipway upgrade rollback"}
	case behind > 1:
		return &Skew{What: "upgrade to", Have: to, Beside: from, Rule: "an upgrade may not skip a minor version", Fix: "upgrade" + byWayOf(" to ", from, to)}
	}
	return nil
}

// RollbackSkew checks the version that a rollback leads to against what runs: as far back as one
// minor version, which is as far as one upgrade leads. What etcd's and the API's data allow is
// another matter.
func RollbackSkew(from, to Version) error {
	switch behind := minorsBehind(to, from); {
	case to.Compare(from) > 0:
		return &Skew{What: "rollback to", Have: to, Beside: from, Rule: "a rollback never leads to a newer version", Fix: "slipway upgrade apply"}
	case behind > 1:
		return &Skew{What: "rollback to", Have: to, Beside: from, Rule: "a rollback goes back by one minor version at most",
			Fix: "restore a snapshot of etcd that was taken at " + to.MinorString()}
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
