package cluster

import (
	"strings"
	"testing"
)

func TestTrustedKeyFilesAreNamedOnce(t *testing.T) {
	for _, test := range []struct {
		files []string
		says  string
	}{
		{nil, ""}, {[]string{"a.pub", "b.pub"}, ""}, {[]string{"a.pub", ""}, "is empty"}, {[]string{"a.pub", "a.pub"}, "said twice"},
	} {
		k := &checker{}
		k.bundle(Bundle{TrustedKeyFiles: test.files})
		if (test.says == "") != (len(k.found) == 0) || len(k.found) > 0 && !strings.Contains(k.found[0].Message, test.says) {
			t.Errorf("%q: want %q, got %v", test.files, test.says, k.found)
		}
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
		var said []string
		for _, problem := range k.found {
			said = append(said, problem.Message)
		}
		got := strings.Join(said, "; ")
		if (test.says == "") != (got == "") || !strings.Contains(got, test.says) {
			t.Errorf("%s: want %q, got %q", name, test.says, got)
		}
	}
}
