package templates

import (
	"io/fs"
	"strings"
	"testing"
)

func TestRenderRefusesWhatIsMissing(t *testing.T) {
	if _, err := Render("crictl.yaml", map[string]any{"Sockett": "x"}); err == nil || !strings.Contains(err.Error(), "render crictl.yaml: ") {
		t.Errorf("a field that the data lacks: got %v", err)
	}
	if _, err := Render("no-such", nil); err == nil || !strings.Contains(err.Error(), "render no-such: ") {
		t.Errorf("a template that there is not: got %v", err)
	}
}

func TestRenderQuotes(t *testing.T) {
	got, err := Render("hosts.toml", map[string]any{
		"Server": "", "Hosts": []map[string]any{{"OverridePath": false, "URL": "https://a\"b", "CA": "", "SkipVerify": false, "Authorization": ""}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "# Written by Slipway.\n\n[host.\"https://a\\\"b\"]\n  capabilities = [\"pull\", \"resolve\"]\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestEveryTextIsATemplate: a file that nothing parses would be shipped and never used.
func TestEveryTextIsATemplate(t *testing.T) {
	entries, err := fs.ReadDir(files, "text")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := fs.ReadFile(files, "text/"+entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		if parsed.Lookup(entry.Name()) == nil {
			t.Errorf("%s is not parsed", entry.Name())
		}
		if !strings.HasSuffix(string(text), "\n") {
			t.Errorf("%s does not end its last line", entry.Name())
		}
	}
}
