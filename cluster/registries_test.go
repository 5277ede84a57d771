package cluster

import (
	"strings"
	"testing"
)

// wantSaid wants a checker to have found something that says this, or nothing.
func wantSaid(t *testing.T, name string, k *checker, says string) {
	t.Helper()
	var said []string
	for _, problem := range k.found {
		said = append(said, problem.Message)
	}
	if got := strings.Join(said, "; "); (says == "") != (got == "") || !strings.Contains(got, says) {
		t.Errorf("%s: want %q, got %q", name, says, got)
	}
}

func TestMirrorsAreURLsThatLeadSomewhere(t *testing.T) {
	for name, test := range map[string]struct {
		registry Registry
		says     string
	}{
		"Harbor":                    {Registry{Name: "docker.io", Mirrors: []string{"https://harbor.example.com/v2/dockerhub", "http://10.0.0.1:5000/v2/dockerhub/"}}, ""},
		"Nexus":                     {Registry{Name: "docker.io", Mirrors: []string{"https://nexus.example.com:8443/repository/dockerhub"}}, ""},
		"Artifactory":               {Registry{Name: "*", Mirrors: []string{"https://art.example.com/artifactory/api/docker/docker-remote"}}, ""},
		"a root of its own":         {Registry{Name: "docker.io", Mirrors: []string{"https://m.example.com/hub"}, OverridePath: true}, ""},
		"IPv6":                      {Registry{Name: "docker.io", Mirrors: []string{"https://[2001:db8::1]:5000/v2/hub"}}, ""},
		"one mirror, written twice": {Registry{Name: "docker.io", Mirrors: []string{"https://m.example.com", "HTTPS://M.example.com/"}}, "twice"},
		"no port":                   {Registry{Name: "docker.io", Mirrors: []string{"https://m.example.com:99999"}}, "99999 is not a port"},
		"no host":                   {Registry{Name: "docker.io", Mirrors: []string{"https://:5000/v2/hub"}}, "names no host"},
		"nothing to override":       {Registry{Name: "docker.io", OverridePath: true}, "there are none"},
		"Docker Hub's old name":     {Registry{Name: "index.docker.io", Mirrors: []string{"https://m.example.com"}}, "docker.io there"},
		"Docker Hub's server":       {Registry{Name: "registry-1.docker.io"}, "docker.io there"},
	} {
		k := &checker{}
		k.registries([]Registry{test.registry})
		wantSaid(t, name, k, test.says)
	}
}

func TestTrustedKeyFilesAreNamedOnce(t *testing.T) {
	for _, test := range []struct {
		files []string
		says  string
	}{
		{nil, ""}, {[]string{"a.pub", "b.pub"}, ""}, {[]string{"a.pub", ""}, "is empty"}, {[]string{"a.pub", "a.pub"}, "given twice"},
	} {
		k := &checker{}
		k.bundle(Bundle{TrustedKeyFiles: test.files})
		wantSaid(t, strings.Join(test.files, ", "), k, test.says)
	}
}

func TestCredentialsGoToOneMirrorAndNeverInClearText(t *testing.T) {
	for name, test := range map[string]struct {
		mirrors []string
		says    string
	}{
		"the registry itself":   {nil, ""},
		"one mirror":            {[]string{"https://private.example"}, ""},
		"one mirror, two paths": {[]string{"https://private.example/a", "https://private.example/b"}, ""},
		"clear text":            {[]string{"http://private.example"}, "clear text"},
		"a public one beside":   {[]string{"https://public.example", "https://private.example"}, "2 mirrors"},
	} {
		k := &checker{}
		k.credentials(Registry{Name: "docker.io", Mirrors: test.mirrors, CredentialsFile: "login"}, "registries[0].credentialsFile")
		wantSaid(t, name, k, test.says)
	}
}
