package cluster

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// mostKept bounds what hosts keep: each version takes a few hundred megabytes.
const mostKept = 9

func (k *checker) upgrade(u Upgrade) {
	if u.KeepVersions != nil && (*u.KeepVersions < 1 || *u.KeepVersions > mostKept) {
		k.wrong("upgrade.keepVersions", "write a number from 1 to 9: without the version from before, a failed upgrade cannot be taken back",
			"%d is not possible", *u.KeepVersions)
	}
	if u.WorkersAtOnce != "" && !atOnceForm.MatchString(u.WorkersAtOnce) {
		k.wrong("upgrade.workersAtOnce", sayAtOnce, "%q is not possible", u.WorkersAtOnce)
	}
}

var atOnceForm = regexp.MustCompile(`^([1-9][0-9]*|([1-9][0-9]?|100)%)$`)

const sayAtOnce = "say a number from 1, or a share from 1% to 100%"

// AtOnce reads how many of so many hosts may have their turn at a time: a number, or a share of them, of which
// there is at least one. Nothing said gives 0.
func AtOnce(text string, hosts int) (int, error) {
	if text == "" {
		return 0, nil
	}
	digits, share := strings.CutSuffix(text, "%")
	number, err := strconv.Atoi(digits)
	if err != nil || !atOnceForm.MatchString(text) {
		return 0, fmt.Errorf("%q: %s", text, sayAtOnce)
	}
	if share {
		number = max(1, hosts*number/100)
	}
	return number, nil
}
