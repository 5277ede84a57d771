package manifests

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// TestKubeletFlagsStayOneWord: systemd splits the variable into words, and takes quotes and
// backslashes away from them (systemd.exec(5), systemd.service(5)).
func TestKubeletFlagsStayOneWord(t *testing.T) {
	for value, want := range map[string]string{
		"cpu=100m,memory=100Mi":  `--x=cpu=100m,memory=100Mi`,
		"cpu=100m, memory=100Mi": `\"--x=cpu=100m, memory=100Mi\"`,
		`{"a": "b"}`:             `\"--x={\\\"a\\\": \\\"b\\\"}\"`,
		`it's`:                   `\"--x=it's\"`,
		`a\b`:                    `\"--x=a\\\\b\"`,
		"$HOME %n":               `\"--x=$HOME %n\"`,
		"":                       `--x=`,
	} {
		in := input(t, one(), modern())
		in.Cluster.ExtraArgs.Kubelet = []cluster.Arg{{Name: "x", Value: value}}
		got := string(in.kubeletFlags(in.Cluster.Hosts[0]))
		if !strings.HasSuffix(got, " "+want+"\"\n") || !strings.HasPrefix(got, `KUBELET_KUBEADM_ARGS="--hostname-override=`) {
			t.Errorf("%s: %s, want it to end with %s", value, got, want)
		}
		if words := systemdWords(t, strings.TrimPrefix(got, "KUBELET_KUBEADM_ARGS=")); words[len(words)-1] != "--x="+value {
			t.Errorf("%s: systemd reads %q", value, words)
		}
	}
}

// systemdWords are the words that systemd makes of a variable in double quotes.
func systemdWords(t *testing.T, line string) []string {
	t.Helper()
	variable := unquoted(strings.TrimSuffix(line, "\n"))
	if len(variable) != 1 {
		t.Fatalf("the environment file's line is %q", variable)
	}
	return unquoted(strings.Trim(variable[0], " "))
}

// unquoted splits at blanks outside of double quotes, and takes quotes and backslashes away.
func unquoted(text string) []string {
	var words []string
	var word strings.Builder
	inside, escaped := false, false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '"':
			inside = !inside
		case r == ' ' && !inside:
			words = append(words, word.String())
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	return append(words, word.String())
}

func TestAnInterfaceOfAnOddNameIsNotWritten(t *testing.T) {
	in := input(t, three(), modern())
	host := in.Cluster.Hosts[0]
	for name, good := range map[string]bool{"eth0.100": true, "br-lan": true, "eth0;}": false, "a\nb": false, `e"0`: false} {
		facts := in.Facts[host.Name]
		facts.Interfaces = []hosts.Link{{Name: name, Addresses: []string{host.Address() + "/16"}}}
		in.Facts[host.Name] = facts
		if got, err := in.vipInterface(host, host.Address()); (err == nil) != good || good && got != name {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
}
