package manifests

import (
	"github.com/slipway-k8s/slipway/templates"

	"github.com/slipway-k8s/slipway/phases/plan"
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
