package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// edited writes the lab's cluster file anew, as the edit leaves it, and gives its path.
func edited(t *testing.T, l *lab, edit func(file map[string]any)) string {
	t.Helper()
	data, err := os.ReadFile(l.file)
	if err != nil {
		t.Fatal(err)
	}
	first, further, _ := strings.Cut(string(data), "\n---\n")
	var file map[string]any
	if err := yaml.Unmarshal([]byte(first), &file); err != nil {
		t.Fatal(err)
	}
	edit(file)
	if data, err = yaml.Marshal(file); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "edited.yaml")
	if further != "" {
		data = append(data, "---\n"+further...)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hostsOf are the hosts of a cluster file.
func hostsOf(file map[string]any) []any { return file["hosts"].([]any) }

// withoutHost is the lab's cluster file without one of its hosts.
func withoutHost(t *testing.T, l *lab, name string) string {
	t.Helper()
	return edited(t, l, func(file map[string]any) {
		file["hosts"] = slices.DeleteFunc(hostsOf(file), func(host any) bool { return host.(map[string]any)["name"] == name })
	})
}

// withHost is the lab's cluster file with one more of the lab's hosts, reached by a user.
func withHost(t *testing.T, l *lab, name, role, user string) string {
	t.Helper()
	return edited(t, l, func(file map[string]any) {
		file["hosts"] = append(hostsOf(file), map[string]any{
			"name": name, "address": l.address(name), "roles": []string{role}, "ssh": map[string]any{"user": user},
		})
	})
}

// address is what a host of the lab is reached by.
func (l *lab) address(name string) string {
	l.t.Helper()
	var list []struct {
		Name  string `json:"name"`
		Hosts []struct {
			Name    string `json:"name"`
			Address string `json:"address"`
		} `json:"hosts"`
	}
	l.decode(l.must("lab", "list", "-o", "json"), &list)
	for _, lab := range list {
		for _, host := range lab.Hosts {
			if lab.Name == l.name && host.Name == name {
				return host.Address
			}
		}
	}
	l.t.Fatalf("the lab has no host %s", name)
	return ""
}
