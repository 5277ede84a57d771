package manifests

import (
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
)

// flag is one flag of a component, without its dashes.
type flag struct{ name, value string }

// arguments are a component's in kubeadm's order: our flags sorted by name, less those that
// the user sets, then the user's as they stand.
func arguments(ours []flag, users []cluster.Arg) []string {
	ours = slices.Clone(ours)
	slices.SortFunc(ours, func(a, b flag) int { return strings.Compare(a.name, b.name) })
	var args []string
	for _, f := range ours {
		if _, set := argument(users, f.name); !set {
			args = append(args, "--"+f.name+"="+f.value)
		}
	}
	for _, arg := range users {
		args = append(args, "--"+arg.Name+"="+arg.Value)
	}
	return args
}

// argument is the value that the user gives a flag; with several, the last one wins.
func argument(args []cluster.Arg, name string) (string, bool) {
	for _, arg := range slices.Backward(args) {
		if arg.Name == name {
			return arg.Value, true
		}
	}
	return "", false
}
