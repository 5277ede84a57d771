package cluster

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDraftsSayWhatTheyHaveAndWhatIsMissing(t *testing.T) {
	tests := map[string]struct {
		file     string
		hosts    []string
		problems []string
	}{
		"empty":         {"", nil, []string{"name: ", "hosts: "}},
		"comments":      {"# nothing\n", nil, []string{"name: ", "hosts: "}},
		"head":          {head, nil, []string{"name: ", "hosts: "}},
		"no hosts":      {head + "name: demo\n", nil, []string{"hosts: "}},
		"no endpoint":   {head + "name: demo\nhosts:\n- {name: a, address: 192.0.2.1, roles: [control-plane]}\n- {name: b, address: 192.0.2.2, roles: [control-plane]}\n", []string{"a", "b"}, []string{"endpoint.host: "}},
		"a wrong value": {head + "name: demo\nendpoint: {port: x}\nhosts:\n- {name: a, address: 192.0.2.1, roles: [control-plane]}\n", []string{"a"}, []string{"endpoint.port: "}},
		"another kind":  {"apiVersion: v1\nkind: Pod\nname: demo\n", nil, []string{"kind: "}},
		"a list":        {"- a\n", nil, []string{"the file is a list"}},
		"complete":      {minimal, []string{"cp-1", "cp-2", "cp-3", "worker-1", "worker-2"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, problems, err := Draft([]byte(test.file))
			if err != nil {
				t.Fatal(err)
			}
			var hosts []string
			for _, host := range c.Hosts {
				hosts = append(hosts, host.Name)
			}
			if diff := cmp.Diff(test.hosts, hosts); diff != "" {
				t.Errorf("hosts (-want +got):\n%s", diff)
			}
			if c.Networking.PodSubnets[0] != DefaultPodSubnet || c.Drain.OnBlocked != DefaultOnBlocked || c.Kind != Kind {
				t.Errorf("it is without the defaults: %+v", c)
			}
			for _, want := range test.problems {
				if !told(problems, want) {
					t.Errorf("%q is not told: %v", want, problems)
				}
			}
			if len(test.problems) == 0 && len(problems) > 0 {
				t.Errorf("a complete file: %v", problems)
			}
		})
	}
}

func told(problems []Problem, want string) bool {
	for _, problem := range problems {
		problem.Line = 0
		if strings.HasPrefix(problem.String(), want) {
			return true
		}
	}
	return false
}

func TestADraftIsLoadWhereThatSucceeds(t *testing.T) {
	for _, file := range []string{minimal, full, outside, balanced, string(Example())} {
		c, problems, err := Draft([]byte(file))
		if err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
		if diff := cmp.Diff(load(t, file), c); diff != "" {
			t.Errorf("(-Load +Draft):\n%s", diff)
		}
	}
}

func TestADraftThatIsNoYAMLIsAnError(t *testing.T) {
	_, _, err := Draft([]byte("a: [\n"))
	if _, is := errors.AsType[*SyntaxError](err); !is {
		t.Errorf("got %v, want a *SyntaxError", err)
	}
}
