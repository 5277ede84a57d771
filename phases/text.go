package phases

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
)

func keep[T any](list []T, wanted func(T) bool) []T {
	var kept []T
	for _, item := range list {
		if wanted(item) {
			kept = append(kept, item)
		}
	}
	return kept
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// trimmed is a path as it stands in a step's id.
func trimmed(path string) string { return strings.TrimPrefix(path, "/") }

func orNothing(value string) string {
	if value == "" {
		return "empty"
	}
	return value
}

func orUnknown(cause string) string {
	if cause == "" {
		return "cause unknown"
	}
	return cause
}

func within(inner, outer string) bool {
	return inner == outer || strings.HasPrefix(inner, path.Clean(outer)+"/")
}

func among(list []cluster.Host, name string) bool {
	return slices.ContainsFunc(list, func(host cluster.Host) bool { return host.Name == name })
}
