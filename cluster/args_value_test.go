package cluster

import (
	"strings"
	"testing"
)

func TestAnArgumentsValueIsOneLine(t *testing.T) {
	for value, good := range map[string]bool{
		"cpu=100m, memory=100Mi": true, `{"a": "b"}`: true, "grün": true, "": true,
		"a\nb": false, "a\x00b": false, "a\tb": false, "a\x1b[31m": false, "a\u2028b": false,
	} {
		c := &Cluster{ExtraArgs: ExtraArgs{Kubelet: []Arg{{Name: "v", Value: "2"}, {Name: "system-reserved", Value: value}}}}
		found := ""
		for _, problem := range findings(c) {
			if problem.Path == "extraArgs.kubelet[1].value" {
				found = problem.Message
			}
		}
		if (found == "") != good || !good && !strings.Contains(found, "system-reserved") {
			t.Errorf("%q: %q", value, found)
		}
	}
}
