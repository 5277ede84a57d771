package cluster

import (
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
