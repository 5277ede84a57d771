//go:build linux

package local

import (
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// rulesIn are ufw's rules about what comes in, up to the last that keeps something out: of those the first that fits a
// packet counts, and ufw adds a rule behind all others. Rules of one's own in ufw's before.rules are not read.
func (u *ufw) rulesIn() ([]hosts.InRule, error) {
	files := []string{ufwRules4}
	if u.takesIPv6() {
		files = append(files, ufwRules6)
	}
	var found []hosts.InRule
	refusals := 0
	for _, path := range files {
		text, err := readIfThere(u.host.at(path))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			rule, action, direction, is := packetRule(line)
			refuses := action == "deny" || action == "reject" || action == "limit" // which lets in some, and then no more
			if !is || direction != "in" || !refuses && action != "allow" {
				continue
			}
			if found = append(found, hosts.InRule{PacketRule: rule, Refuses: refuses, Text: ufwWords(action, rule)}); refuses {
				refusals = len(found)
			}
		}
	}
	return found[:refusals], nil
}

// ufwWords is a rule as it is told to ufw.
func ufwWords(action string, rule hosts.PacketRule) string {
	anywhere := strings.NewReplacer("0.0.0.0/0", "any", "::/0", "any")
	text := action + " in"
	for _, part := range []struct{ word, value string }{
		{"on", rule.Link}, {"proto", rule.Protocol}, {"from", anywhere.Replace(rule.From)}, {"to", anywhere.Replace(rule.To)}, {"port", rule.Ports},
	} {
		if part.value != "" {
			text += " " + part.word + " " + part.value
		}
	}
	return text
}
