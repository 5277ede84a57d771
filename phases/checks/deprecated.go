package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// deprecatedAPIs is what needs APIs that go away. What the version that is coming still serves is a
// warning; all of it is, once an upgrade has begun: half an upgrade helps nobody.
func deprecatedAPIs(v view.View) []Finding {
	seen := v.ClusterFacts.DeprecatedAPIs
	target, err := cluster.ParseVersion(v.Bill.KubernetesVersion)
	if seen == nil || err != nil {
		return nil // not asked, as where the minor version stays
	}
	var all []Finding
	for _, api := range seen.Requested {
		if !api.StaysForGood() {
			all = append(all, requestedAPI(api, target))
		}
	}
	for _, api := range seen.Stored {
		all = append(all, finding("move what they are for to what has taken their place, and delete them: kubectl get "+plural(api.API)+" -A",
			"%s (removed in %s): %s stored, and %s serves them in no version", api.API, api.Removed, areObjects(api.Objects), target))
	}
	for _, old := range seen.Unserved {
		all = append(all, warning("write them anew: kubectl get "+old.Definition+" -A -o json | kubectl replace -f -; then take the version out of the definition's status.storedVersions",
			"objects of %s may be stored as %s, which the definition does not serve any more: the next version of what brings it may not read them", old.Definition, old.Version))
	}
	for _, unasked := range seen.Unasked {
		all = append(all, finding("see why by: slipway status", "it is not known %s", unasked))
	}
	if v.UpgradeBegun() {
		for i := range all {
			all[i].Severity = Warning
		}
	}
	return all
}

// requestedAPI is a deprecated API that was asked for.
func requestedAPI(api hosts.RequestedAPI, target cluster.Version) Finding {
	until := "deprecated"
	gone := false
	if removed, err := cluster.ParseVersion("v" + api.Removed + ".0"); err == nil {
		until = "removed in " + api.Removed
		gone = removed.Compare(cluster.Version{Major: target.Major, Minor: target.Minor}) <= 0
	}
	found := finding("", "%s (%s): the API servers of %s were asked for it since they started; %s", api.API, until, strings.Join(api.Servers, ", "), writersOf(api))
	if !gone {
		found.Severity = Warning
		found.Fix = "have them use another version of it in time: " + target.String() + " still serves this one"
		return found
	}
	found.Fix = "have them use another version of it (kubectl api-versions); the count ends when an API server starts anew: where nobody asks any more, pass it by --ignore-checks DeprecatedAPIs"
	return found
}

// mostWriters is how many of those who write by an API are told by name.
const mostWriters = 4

// writersOf says who writes by an API, as far as it can be seen.
func writersOf(api hosts.RequestedAPI) string {
	if api.Unknown != "" {
		return "who writes by it is not known: " + api.Unknown
	}
	if len(api.Writers) == 0 {
		return "no object shows by whom, so it may be one that only reads: an audit log tells"
	}
	var told []string
	for _, writer := range api.Writers[:min(mostWriters, len(api.Writers))] {
		text := fmt.Sprintf("%s (%s", writer.Manager, strings.Join(writer.Some, ", "))
		if more := writer.Objects - len(writer.Some); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		told = append(told, text+")")
	}
	if more := len(api.Writers) - mostWriters; more > 0 {
		told = append(told, fmt.Sprintf("%d more", more))
	}
	return "objects were written with it by " + strings.Join(told, ", ")
}

// plural is how kubectl takes the resource.
func plural(api hosts.API) string {
	return strings.Join(slices.DeleteFunc([]string{api.Resource, api.Group}, func(part string) bool { return part == "" }), ".")
}

func areObjects(n int) string {
	if n == 1 {
		return "1 object is"
	}
	return fmt.Sprintf("%d objects are", n)
}
