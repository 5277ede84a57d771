package cluster

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// registryForm is a host and perhaps a port, as it stands at the head of image names.
var registryForm = regexp.MustCompile(`^(\*|\[[0-9a-fA-F:.]+\](:[0-9]{1,5})?|[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*(:[0-9]{1,5})?)$`)

func (k *checker) registries(registries []Registry) {
	seen := map[string]int{}
	for i, registry := range registries {
		path := index("registries", i)
		k.registryName(registry.Name, child(path, "name"))
		k.once(seen, registry.Name, i, child(path, "name"), "registries")
		mirrors := map[string]int{}
		for j, mirror := range registry.Mirrors {
			at := child(path, "mirrors")
			k.mirror(mirror, index(at, j))
			k.once(mirrors, sameMirror(mirror), j, index(at, j), at)
		}
		if registry.OverridePath && len(registry.Mirrors) == 0 {
			k.wrong(child(path, "overridePath"), "list the mirrors whose paths it is for, or leave it out", "applies to mirrors, and there are none")
		}
		k.credentials(registry, child(path, "credentialsFile"))
		if registry.SkipVerify && registry.CAFile != "" {
			k.wrong(child(path, "skipVerify"), "keep caFile and leave skipVerify out", "makes caFile useless: nothing is verified")
		}
	}
}

// sameMirror is what two ways of writing one mirror have in common, without a password.
func sameMirror(mirror string) string {
	parsed, err := url.Parse(mirror)
	if err != nil || parsed.Host == "" || parsed.RawQuery != "" || parsed.Fragment != "" {
		return withoutPassword(mirror)
	}
	return parsed.Scheme + "://" + strings.ToLower(parsed.Host) + path.Join("/", parsed.Path)
}

// withoutPassword is a mirror as it may be shown, also where it is no valid URL.
func withoutPassword(mirror string) string {
	at := strings.LastIndex(mirror, "@")
	scheme, _, _ := strings.Cut(mirror, "://")
	switch {
	case at < 0:
		return mirror
	case len(scheme) < at:
		return scheme + "://" + mirror[at+1:]
	}
	return mirror[at+1:]
}

// hubNames are Docker Hub's hosts that no image's name has in the end: containerd, like
// docker, calls that registry docker.io, and looks up no other name.
var hubNames = []string{"index.docker.io", "registry-1.docker.io", "hub.docker.com", "registry.hub.docker.com"}

// credentials go to every mirror of the entry: so there may be but one host that gets
// them, and never in clear text.
func (k *checker) credentials(registry Registry, path string) {
	if registry.CredentialsFile == "" {
		return
	}
	hosts := map[string]bool{}
	for _, mirror := range registry.Mirrors {
		parsed, err := url.Parse(mirror)
		if err != nil {
			continue // told as the mirror's own problem
		}
		hosts[parsed.Host] = true
		if parsed.Scheme == "http" {
			shown := withoutPassword(mirror)
			k.wrong(path, "use https for "+shown, "would be sent in clear text to %s", shown)
		}
	}
	if len(hosts) > 1 {
		k.wrong(path, "keep the one mirror that asks for them", "would be sent to all of %d mirrors", len(hosts))
	}
}

func (k *checker) registryName(name, path string) {
	switch {
	case name == "":
		k.wrong(path, "write the registry's host as it stands in image names, such as docker.io; * for all others", "is missing")
	case strings.Contains(name, "://"):
		_, rest, _ := strings.Cut(name, "://")
		host, _, _ := strings.Cut(rest, "/")
		k.wrong(path, "write "+host+"; URLs go to mirrors", "%q is a URL", name)
	case strings.Contains(name, "/"):
		host, _, _ := strings.Cut(name, "/")
		k.wrong(path, "write "+host, "%q has a path: containerd knows registries by host alone", name)
	case slices.Contains(hubNames, strings.ToLower(name)):
		k.wrong(path, "write docker.io", "%q is in no image's name: the registry is called docker.io there", name)
	case !registryForm.MatchString(name):
		k.wrong(path, "write it like docker.io or registry.example.com:5000; * for all others", "%q is not a registry's host", name)
	}
}

func (k *checker) mirror(mirror, path string) {
	parsed, err := url.Parse(mirror)
	if err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "" {
		if strings.Contains(mirror, "@") {
			mirror = "the mirror" // its password is not for the terminal
		}
		fix := "write a URL like https://mirror.example.com"
		if registryForm.MatchString(mirror) && mirror != "*" {
			fix = "write https://" + mirror
		}
		k.wrong(path, fix, "%s is not an http or https URL", mirror)
		return
	}
	if port := parsed.Port(); port != "" {
		if number, err := strconv.Atoi(port); err != nil || number < 1 || number > 65535 {
			k.wrong(path, "write a port from 1 to 65535", "%s is not a port", port)
		}
	}
	if parsed.Hostname() == "" {
		k.wrong(path, "write a URL like https://mirror.example.com", "names no host")
	}
	if parsed.User != nil {
		k.wrong(path, "leave them out; write them to a file and name it in credentialsFile", "has a user name or password in it")
	}
	if parsed.RawQuery != "" || parsed.Fragment != "" {
		k.wrong(path, "end it with the path", "has a query or a fragment")
	}
}
