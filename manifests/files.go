package manifests

import (
	"github.com/slipway-k8s/slipway/templates"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// plainFile is a file that everybody may read and nobody but Slipway writes.
func plainFile(phase plan.Phase, path string, content []byte) File {
	return File{Phase: phase, Path: path, Mode: 0o644, Content: content, Compare: Exact}
}

// templateFile is a plain file out of a template and what goes into that.
type templateFile struct {
	phase          plan.Phase
	path, template string
	data           any
}

func renderFiles(wanted ...templateFile) ([]File, error) {
	var files []File
	for _, file := range wanted {
		content, err := templates.Render(file.template, file.data)
		if err != nil {
			return nil, err
		}
		files = append(files, plainFile(file.phase, file.path, content))
	}
	return files, nil
}
