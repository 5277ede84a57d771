package manifests

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/templates"
)

// renderer gives a file's content, when all that it is made of is known.
type renderer func(Input) ([]byte, error)

// plainFile is a file that everybody may read and nobody but Slipway writes.
func plainFile(phase plan.Phase, path string, render renderer) File {
	return File{Phase: phase, Path: path, Mode: 0o644, Compare: Exact, render: render}
}

// templateFile is a plain file out of a template and what goes into that.
func templateFile(phase plan.Phase, path, template string, data func(Input) (any, error)) File {
	return plainFile(phase, path, func(in Input) ([]byte, error) {
		values, err := data(in)
		if err != nil {
			return nil, err
		}
		return templates.Render(template, values)
	})
}

// digest is the digest of several contents, told apart by their lengths.
func digest(contents ...[]byte) string {
	sum := sha256.New()
	for _, content := range contents {
		one := sha256.Sum256(content)
		sum.Write(one[:])
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

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
