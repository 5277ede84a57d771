package manifests

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// containerdFiles are containerd's configuration and the registries' below certs.d,
// which containerd reads anew for each pull.
func containerdFiles(c *cluster.Cluster, host cluster.Host) []File {
	files := []File{
		templateFile(plan.PhaseContainerd, ContainerdConfig, "containerd.toml", func(in Input) (any, error) {
			facts := in.Facts[host.Name]
			snapshotter := "overlayfs"
			if !facts.OverlayFS {
				snapshotter = "native"
			}
			sandbox, err := in.reference(imagePause)
			return map[string]any{
				"Snapshotter":      snapshotter,
				"Sandbox":          sandbox,
				"CertsDir":         CertsFolder,
				"RestrictOOMScore": !facts.CanRaiseOOMScore,
				"CNIBin":           CNIBinFolder,
				"CNIConf":          CNIConfFolder,
				"Runc":             Runc,
				"SystemdCgroup":    in.cgroupDriver(host) == driverSystemd,
			}, err
		}),
		templateFile(plan.PhaseContainerd, CrictlConfig, "crictl.yaml", func(Input) (any, error) {
			return map[string]any{"Socket": CRISocket}, nil
		}),
	}
	for _, registry := range c.Registries {
		files = append(files, registryFiles(registry)...)
	}
	return files
}

// registryHost is one mirror of a registry, or the registry itself, in hosts.toml.
type registryHost struct {
	URL string
	// OverridePath has containerd take the URL's path as it is; else it puts /v2 behind it.
	OverridePath  bool
	CA            string
	SkipVerify    bool
	Authorization string
}

// registryFiles are one registry's folder: how to reach it, and its CA.
func registryFiles(registry cluster.Registry) []File {
	folder := CertsFolder + "/" + registryFolder(registry.Name)
	var files []File
	var ca string
	if registry.CAFile != "" {
		ca = folder + "/ca.crt"
		files = append(files, plainFile(plan.PhaseContainerd, ca, func(in Input) ([]byte, error) {
			content, ok := in.RegistryFiles[registry.CAFile]
			if !ok {
				return nil, fmt.Errorf("render registry %s: find the CA file %s: it was not read", registry.Name, registry.CAFile)
			}
			return content, nil
		}))
	}
	way := templateFile(plan.PhaseContainerd, folder+"/hosts.toml", "hosts.toml", func(in Input) (any, error) {
		authorization, err := in.authorization(registry)
		if err != nil {
			return nil, fmt.Errorf("render registry %s: %w", registry.Name, err)
		}
		var server string
		if registry.Name != anyRegistry {
			server = "https://" + registryServer(registry.Name)
		}
		var hosts []registryHost
		for _, url := range registryURLs(registry, server) {
			hosts = append(hosts, registryHost{URL: url, OverridePath: registry.OverridePath || holdsRoot(url), CA: ca, SkipVerify: registry.SkipVerify, Authorization: authorization})
		}
		return map[string]any{"Server": server, "Hosts": hosts}, nil
	})
	if registry.CredentialsFile != "" {
		way.Mode, way.Secret = 0o600, true
	}
	return append(files, way)
}

// anyRegistry stands for all registries that have no entry of their own.
const anyRegistry = "*"

// registryFolder is containerd's name for a registry's folder; _default serves all others.
func registryFolder(name string) string {
	if name == anyRegistry {
		return "_default"
	}
	return name
}

// registryServer is the host that serves a registry's API. Docker Hub's is another than the
// one in image names, which containerd knows by itself only where no file names a server.
func registryServer(name string) string {
	if name == "docker.io" {
		return "registry-1.docker.io"
	}
	return name
}

// holdsRoot tells whether a mirror's path has the API's root in it and goes on: Harbor's
// https://HOST/v2/PROJECT is asked for /v2/PROJECT/library/x. Any other path leads to a
// registry that has its own /v2 behind it, as Nexus' /repository/NAME and Artifactory's
// /artifactory/api/docker/NAME do; and one that ends with /v2 has it already.
func holdsRoot(mirror string) bool {
	parsed, err := url.Parse(mirror)
	if err != nil {
		return false
	}
	parts := strings.Split(strings.Trim(path.Clean(parsed.Path), "/"), "/")
	return slices.Contains(parts, "v2") && parts[len(parts)-1] != "v2"
}

// registryURLs are the mirrors in the file's order. A registry without any is itself the
// place that the CA and the credentials are for.
func registryURLs(registry cluster.Registry, server string) []string {
	if len(registry.Mirrors) > 0 || server == "" {
		return registry.Mirrors
	}
	return []string{server}
}

// authorization is the HTTP header that logs in to a registry: basic, out of the two
// lines of the credentials file.
func (in Input) authorization(registry cluster.Registry) (string, error) {
	if registry.CredentialsFile == "" {
		return "", nil
	}
	content, ok := in.RegistryFiles[registry.CredentialsFile]
	if !ok {
		return "", fmt.Errorf("find the credentials file %s: it was not read", registry.CredentialsFile)
	}
	user, password, two := strings.Cut(string(bytes.TrimRight(content, "\r\n")), "\n")
	user, password = strings.TrimSpace(user), strings.TrimSuffix(password, "\r")
	if !two || user == "" || password == "" || strings.Contains(password, "\n") {
		return "", fmt.Errorf("read the credentials file %s: it must have two lines, the user's name and the password", registry.CredentialsFile)
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)), nil
}
