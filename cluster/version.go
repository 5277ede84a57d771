package cluster

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Version is a Kubernetes version.
type Version struct {
	Major, Minor, Patch int
	Pre                 string // alpha.1, rc.0; empty for a release
}

var versionForm = regexp.MustCompile(`^v(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$`)

// ParseVersion reads a version with its leading v. Build metadata is dropped: it says
// nothing about order.
func ParseVersion(text string) (Version, error) {
	parts := versionForm.FindStringSubmatch(text)
	if parts == nil {
		return Version{}, fmt.Errorf("%q is not a Kubernetes version", text)
	}
	number := func(digits string) int {
		n, _ := strconv.Atoi(digits) // the form allows nothing else
		return n
	}
	return Version{number(parts[1]), number(parts[2]), number(parts[3]), parts[4]}, nil
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
func (v Version) Compare(other Version) int {
	return cmp.Or(
		cmp.Compare(v.Major, other.Major),
		cmp.Compare(v.Minor, other.Minor),
		cmp.Compare(v.Patch, other.Patch),
		comparePre(v.Pre, other.Pre),
	)
}

// comparePre orders pre-releases: any of them comes before the release.
func comparePre(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	as, bs := splitPre(a), splitPre(b)
	for i := range min(len(as), len(bs)) {
		if order := compareIdentifier(as[i], bs[i]); order != 0 {
			return order
		}
	}
	return cmp.Compare(len(as), len(bs))
}

func splitPre(pre string) []string { return strings.Split(pre, ".") }

// compareIdentifier orders two parts of a pre-release: numbers by value, and before words.
func compareIdentifier(a, b string) int {
	aNumber, aErr := strconv.ParseUint(a, 10, 64)
	bNumber, bErr := strconv.ParseUint(b, 10, 64)
	switch {
	case aErr == nil && bErr == nil:
		return cmp.Compare(aNumber, bNumber)
	case aErr == nil:
		return -1
	case bErr == nil:
		return 1
	}
	return strings.Compare(a, b)
}
