package workflow

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
)

// kept is what a rollback goes back to.
type kept struct {
	before   string                // the id of the bundle that came
	hosts    map[string]hosts.Kept // by host
	contents map[string][]byte     // of its files, by digest
}

// bill is that of the bundle which was in force on the hosts; on all of them the same. Else it is told what
// keeps the hosts from going back.
func (k *kept) bill() (bundle.Bill, *checks.Finding) {
	of := map[string][]string{} // hosts by the digest of their bill
	for _, name := range slices.Sorted(maps.Keys(k.hosts)) {
		one := k.hosts[name]
		at := slices.IndexFunc(one.Paths, func(was hosts.KeptPath) bool { return was.Path == manifests.BillFile })
		if at < 0 || one.Paths[at].Absent {
			return bundle.Bill{}, &checks.Finding{Host: name, Seen: "it has not kept which bundle was in force: an older Slipway, which did not note it, made the cluster"}
		}
		of[one.Paths[at].Digest] = append(of[one.Paths[at].Digest], name)
	}
	if len(of) > 1 {
		var all []string
		for _, names := range of {
			all = append(all, strings.Join(names, ", "))
		}
		slices.Sort(all)
		return bundle.Bill{}, &checks.Finding{
			Seen: fmt.Sprintf("hosts had different versions before the last upgrade (%s), since the upgrade before it had not come to all of them: there is no common version to go back to", strings.Join(all, "; ")),
			Fix:  "go on to the newer version by: slipway upgrade apply",
		}
	}
	for digest, names := range of {
		bill, err := bundle.ReadBill(k.contents[digest])
		if err != nil {
			return bundle.Bill{}, &checks.Finding{Host: names[0], Seen: fmt.Sprintf("it cannot be read which bundle was in force before the upgrade: %v", err)}
		}
		return bill, nil
	}
	return bundle.Bill{}, nil
}
