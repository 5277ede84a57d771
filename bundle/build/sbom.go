package build

import (
	"net/url"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
)

// mediaTypeSBOM is CycloneDX in JSON.
const mediaTypeSBOM = "application/vnd.cyclonedx+json"

// The parts of CycloneDX 1.5 that are used here.
type (
	sbom struct {
		Format      string          `json:"bomFormat"`
		SpecVersion string          `json:"specVersion"`
		Version     int             `json:"version"`
		Metadata    sbomMetadata    `json:"metadata"`
		Components  []sbomComponent `json:"components"`
	}
	sbomMetadata struct {
		Component sbomComponent `json:"component"`
	}
	sbomComponent struct {
		Type       string          `json:"type"`
		Ref        string          `json:"bom-ref"`
		Name       string          `json:"name"`
		Version    string          `json:"version"`
		PURL       string          `json:"purl,omitempty"`
		Licenses   []sbomLicense   `json:"licenses,omitempty"`
		Hashes     []sbomHash      `json:"hashes,omitempty"`
		Properties []sbomProperty  `json:"properties,omitempty"`
		Components []sbomComponent `json:"components,omitempty"`
	}
	sbomLicense struct {
		Expression string `json:"expression"`
	}
	sbomHash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	sbomProperty struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
)

// makeSBOM lists every component and, below it, every module that is linked into it.
func makeSBOM(bill bundle.Bill, modules map[string][]module) sbom {
	made := sbom{
		Format: "CycloneDX", SpecVersion: "1.5", Version: 1,
		Metadata: sbomMetadata{Component: sbomComponent{
			Type: "application", Ref: "bundle", Name: "slipway-bundle", Version: bill.KubernetesVersion,
		}},
	}
	for _, component := range bill.Components {
		part := sbomComponent{
			Type: "application", Ref: component.Name, Name: component.Name, Version: component.Version,
			PURL: packageURL(component), Licenses: sbomLicenses(component.License),
		}
		if strings.HasPrefix(component.Origin, debianOrigin) && component.Sum != "" {
			part.Hashes = []sbomHash{{Algorithm: "SHA-256", Content: strings.TrimPrefix(component.Sum, "sha256:")}}
		}
		for _, m := range modules[component.Name] {
			part.Components = append(part.Components, sbomModule(component.Name, m))
		}
		made.Components = append(made.Components, part)
	}
	return made
}

func sbomModule(component string, m module) sbomComponent {
	part := sbomComponent{
		Type: "library", Ref: component + "/" + m.Path + "@" + m.Version, Name: m.Path, Version: m.Version,
		PURL: goPackageURL(m.Path, m.Version), Licenses: sbomLicenses(m.License),
	}
	if m.Sum != "" {
		part.Properties = []sbomProperty{{Name: "go:sum", Value: m.Sum}}
	}
	return part
}

func sbomLicenses(expression string) []sbomLicense {
	if expression == "" {
		return nil
	}
	return []sbomLicense{{Expression: expression}}
}

// packageURL names a component as vulnerability databases do.
func packageURL(c bundle.Component) string {
	if name, found := strings.CutPrefix(c.Origin, debianOrigin); found {
		return "pkg:deb/debian/" + url.PathEscape(name) + "@" + url.PathEscape(c.Version)
	}
	return goPackageURL(c.Origin, c.Version)
}

func goPackageURL(path, version string) string {
	return "pkg:golang/" + path + "@" + url.PathEscape(version)
}
