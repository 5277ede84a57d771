package workflow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// kept is what a rollback goes back to.
type kept struct {
	before   string                // the id of the bundle that came
	hosts    map[string]hosts.Kept // by host
	contents map[string][]byte     // of its files, by digest
}

// bill is that of the bundle which was in force on the hosts; on all of them the same.
func (k *kept) bill() (bundle.Bill, error) {
	of := map[string][]string{}
	for name, one := range k.hosts {
		at := slices.IndexFunc(one.Paths, func(was hosts.KeptPath) bool { return was.Path == manifests.BillFile })
		if at < 0 || one.Paths[at].Absent {
			return bundle.Bill{}, fmt.Errorf("find the bundle that was in force on %s: an older Slipway, which did not note it, made the cluster", name)
		}
		of[one.Paths[at].Digest] = append(of[one.Paths[at].Digest], name)
	}
	if len(of) > 1 {
		var all []string
		for _, names := range of {
			slices.Sort(names)
			all = append(all, strings.Join(names, ", "))
		}
		slices.Sort(all)
		return bundle.Bill{}, fmt.Errorf("find the bundle that was in force: hosts had different ones (%s), since the upgrade before had not come to all of them: there is no common version to go back to; go on to the newer one by: slipway upgrade apply", strings.Join(all, "; "))
	}
	for digest := range of {
		bill, err := bundle.ReadBill(k.contents[digest])
		if err != nil {
			return bundle.Bill{}, fmt.Errorf("find the bundle that was in force: %w", err)
		}
		return bill, nil
	}
	return bundle.Bill{}, nil
}
