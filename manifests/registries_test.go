package manifests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

// What containerd asks a mirror for, by its documentation of hosts.toml: the URL with
// override_path; without, the URL with /v2 behind it unless it ends so.
func TestMirrorsWithAPathAreAskedWhereTheyAnswer(t *testing.T) {
	for mirror, test := range map[string]struct {
		override bool // said in the cluster file
		asked    string
	}{
		"https://mirror.example":                                      {false, "https://mirror.example/v2"},
		"https://mirror.example/":                                     {false, "https://mirror.example/v2"},
		"https://mirror.example/v2":                                   {false, "https://mirror.example/v2"},
		"https://mirror.example/v2/":                                  {false, "https://mirror.example/v2"},
		"http://mirror:5000/v2/dockerhub":                             {false, "http://mirror:5000/v2/dockerhub"}, // Harbor, Nexus by path, ECR
		"http://mirror:5000/v2/dockerhub/":                            {false, "http://mirror:5000/v2/dockerhub"},
		"https://gitlab.example/v2/group/dependency_proxy/containers": {false, "https://gitlab.example/v2/group/dependency_proxy/containers"},
		"https://art.example/artifactory/api/docker/docker-remote":    {false, "https://art.example/artifactory/api/docker/docker-remote/v2"},
		"https://nexus.example/repository/docker-hub":                 {false, "https://nexus.example/repository/docker-hub/v2"},
		"https://nexus.example/repository/docker-hub/v2":              {false, "https://nexus.example/repository/docker-hub/v2"},
		"https://proxy.example/v2/behind/v2":                          {false, "https://proxy.example/v2/behind/v2"},
		"https://odd.example/hub":                                     {true, "https://odd.example/hub"},
	} {
		in := input(t, one(), modern())
		in.Cluster.Registries = []cluster.Registry{{Name: "docker.io", Mirrors: []string{mirror}, OverridePath: test.override}}
		text := string(hostsFile(t, in, "docker.io"))
		asked := strings.TrimRight(mirror, "/")
		if !strings.Contains(text, "override_path = true") && !strings.HasSuffix(asked, "/v2") {
			asked += "/v2"
		}
		if !strings.Contains(text, fmt.Sprintf("[host.%q]", mirror)) || asked != test.asked {
			t.Errorf("%s is asked at %s, want %s:\n%s", mirror, asked, test.asked, text)
		}
	}
}

// Docker Hub's own server has another name than its images.
func TestDockerHubIsReachedWhereItsAPIIs(t *testing.T) {
	in := input(t, one(), modern())
	in.Cluster.Registries = []cluster.Registry{{Name: "docker.io", Mirrors: []string{"https://mirror.example"}}, {Name: "quay.io", Mirrors: []string{"https://mirror.example"}}}
	for name, server := range map[string]string{"docker.io": "registry-1.docker.io", "quay.io": "quay.io"} {
		if text := string(hostsFile(t, in, name)); !strings.Contains(text, fmt.Sprintf("server = %q", "https://"+server)) {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// hostsFile is the hosts.toml of a registry.
func hostsFile(t *testing.T, in Input, registry string) []byte {
	t.Helper()
	for _, file := range render(t, in, "cp-1").Files {
		if file.Path == CertsFolder+"/"+registry+"/hosts.toml" {
			return file.Content
		}
	}
	t.Fatalf("there is no hosts.toml of %s", registry)
	return nil
}
