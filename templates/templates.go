// Package templates holds the text of what Slipway writes to hosts and into the cluster:
// units, containerd's configuration, kernel settings, the add-ons' objects. Each template is
// embedded, and named by its file below text/.
package templates

import (
	"bytes"
	"embed"
	"fmt"
	"strconv"
	"text/template"
)

//go:embed text
var files embed.FS

// parsed holds every template; it fails at start, and so in every test, if one is malformed.
var parsed = template.Must(template.New("").
	Option("missingkey=error").
	Funcs(template.FuncMap{"quote": strconv.Quote}).
	ParseFS(files, "text/*"))

// Render fills in the template of that name. A field that data lacks is an error.
func Render(name string, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := parsed.ExecuteTemplate(&out, name, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return out.Bytes(), nil
}
