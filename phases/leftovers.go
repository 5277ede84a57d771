package phases

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
)

// Leftovers lists what a reset should have removed and that a host still has, or may have
// where it did not answer. before is the record as it was when the reset began; it may be nil.
func Leftovers(before *hosts.Record, now hosts.Facts) []string {
	var left []string
	ours := map[string]bool{}
	if before != nil {
		for _, owned := range before.Paths {
			ours[owned.Path] = !replaced(now, owned.Path, owned.Type)
		}
	}
	restored := map[string]bool{}
	if before != nil {
		for _, prior := range before.Priors {
			if file, ok := strings.CutPrefix(prior.Setting, "file/"); ok && !prior.Absent {
				restored[path.Clean("/"+file)] = true
			}
		}
	}
	trees := clusterTrees(before, now)
	for _, file := range sortedKeys(now.Files) {
		inTree := inTrees(file, trees)
		// A directory that outlived the record holds what is others', or is a mount point:
		// an empty one of Slipway's would have kept the host from forgetting.
		if now.Record == nil && now.Files[file].Type == hosts.TypeDirectory {
			continue
		}
		if !restored[file] && (ours[file] || inTree) {
			left = append(left, file)
		}
	}
	for _, link := range now.Links {
		left = append(left, "link "+link)
	}
	for _, table := range now.Tables {
		left = append(left, "nft table "+table)
	}
	for _, chain := range now.Chains {
		left = append(left, "iptables chain "+chain)
	}
	for _, unit := range sortedKeys(now.Units) {
		if before != nil && slices.Contains(before.Units, unit) && now.Units[unit].Load == "loaded" {
			left = append(left, fmt.Sprintf("unit %s (%s)", unit, now.Units[unit].Active))
		}
	}
	if now.Record != nil {
		left = append(left, "Slipway's record")
	}
	for _, silent := range now.Unanswered {
		if !slices.Contains(checks.OnlyChecked, silent.What) {
			left = append(left, fmt.Sprintf("perhaps more: %s", silent))
		}
	}
	return left
}
