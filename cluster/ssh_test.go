package cluster

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const twoHosts = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: demo
ssh: SHARED
hosts:
  - {name: cp-1, address: 192.0.2.11, roles: [control-plane], ssh: OWN}
`

func withSSH(shared, own string) string {
	return strings.NewReplacer("SHARED", shared, "OWN", own).Replace(twoHosts)
}

// TestWhatAHostHasOfTheClustersSSH: field by field, and what is one choice in several fields as a whole.
func TestWhatAHostHasOfTheClustersSSH(t *testing.T) {
	for name, test := range map[string]struct {
		shared, own string
		want        SSH
	}{
		"nothing is said":        {"{}", "{}", SSH{}},
		"all of it":              {"{user: ops, config: none, certificateFile: c, identityAgent: none, passwordFile: p, becomePasswordFile: b}", "{}", SSH{User: "ops", Config: "none", CertificateFile: "c", IdentityAgent: "none", PasswordFile: "p", BecomePasswordFile: "b"}},
		"one key or several":     {"{identityFiles: [a, b]}", "{identityFile: c}", SSH{IdentityFile: "c"}},
		"several keys":           {"{identityFiles: [a, b]}", "{}", SSH{IdentityFiles: []string{"a", "b"}}},
		"a jump for a command":   {"{proxyCommand: nc %h %p}", "{jump: [gate]}", SSH{Jump: []Jump{{Host: "gate"}}}},
		"a command for a jump":   {"{jump: [gate]}", "{proxyCommand: nc %h %p}", SSH{ProxyCommand: "nc %h %p"}},
		"forms of a jump host":   {"{jump: ['ops@gate', 'gate:2022', '[2001:db8::1]:22', '2001:db8::2', 'ssh://a@b', 'x@y@z', {host: in, identityFile: k}]}", "{}", SSH{Jump: []Jump{{Host: "gate", User: "ops"}, {Host: "gate", Port: 2022}, {Host: "2001:db8::1", Port: 22}, {Host: "2001:db8::2"}, {Host: "b", User: "a"}, {Host: "z", User: "x@y"}, {Host: "in", IdentityFile: "k"}}}},
		"no jump host after all": {"{jump: [gate]}", "{jump: [none]}", SSH{Jump: []Jump{{Host: "none"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Host = "192.0.2.11"
			if diff := cmp.Diff(test.want, load(t, withSSH(test.shared, test.own)).Hosts[0].SSH); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestWrongWaysIn(t *testing.T) {
	for own, want := range map[string]string{
		"{jump: [gate], proxyCommand: nc}":      "hosts[0].ssh.jump: stands beside proxyCommand",
		"{identityFile: a, identityFiles: [b]}": "hosts[0].ssh.identityFiles: stands beside identityFile",
		"{jump: ['gate:x']}":                    `hosts[0].ssh.jump[0]: "gate:x" cannot be read: x is not a port; write it as [user@]host[:port]`,
		"{jump: ['gate:70000']}":                "hosts[0].ssh.jump[0].port: 70000 is not a port",
		"{jump: ['']}":                          "hosts[0].ssh.jump[0]: names no host",
		"{jump: ['a;b@gate']}":                  `hosts[0].ssh.jump[0].user: "a;b" has a ; in it`,
		"{jump: ['-oProxyCommand=x']}":          `hosts[0].ssh.jump[0].host: "-oProxyCommand=x" is not a host`,
		"{jump: gate}":                          "hosts[0].ssh.jump: is",
		"{hostKeys: [MD5:16:27]}":               `hosts[0].ssh.hostKeys[0]: "MD5:16:27" is neither a fingerprint nor a public key; write a fingerprint as`,
		"{hostKeys: ['ssh-ed25519 AAAA']}":      "hosts[0].ssh.hostKeys[0]: the public key is not whole",
		"{proxyJump: gate}":                     "hosts[0].ssh.proxyJump: unknown field; write jump, a list",
		"{becomePassword: x}":                   "unknown field; write becomePasswordFile, the name of a file",
		"{strictHostKeyChecking: 'no'}":         "unknown field; leave it out: host keys are always checked",
	} {
		_, err := Load([]byte(withSSH("{}", own)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", own, err, want)
		}
	}
}

// TestWhatIsWrongForAllHostsIsSaidOnce.
func TestWhatIsWrongForAllHostsIsSaidOnce(t *testing.T) {
	_, err := Load([]byte(withSSH("{identityFile: a, identityFiles: [b], jump: [''], hostKeys: [x]}", "{}")))
	var invalid *Invalid
	if !errors.As(err, &invalid) || len(invalid.Problems) != 3 {
		t.Errorf("got %v", err)
	}
}

// TestNamesOfFilesThatAreNone stay as they are, and a list that a host inherits is mapped once.
func TestNamesOfFilesThatAreNone(t *testing.T) {
	c := load(t, withSSH("{config: none, identityAgent: $AGENT, identityFiles: [a], jump: [{host: gate, identityFile: b}]}", "{certificateFile: c}"))
	c.MapFiles(func(name string) string { return "/there/" + name })
	for _, ssh := range []SSH{c.SSH, c.Hosts[0].SSH} {
		if ssh.Config != "none" || ssh.IdentityAgent != "$AGENT" || ssh.IdentityFiles[0] != "/there/a" || ssh.Jump[0].IdentityFile != "/there/b" {
			t.Errorf("got %+v", ssh)
		}
	}
}
