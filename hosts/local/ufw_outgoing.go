//go:build linux

package local

import (
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// ufwOutgoing is what ufw lets out, where it is on and lets out nothing that no rule allows (ufw default deny
// outgoing); nil else. Rules of one's own in ufw's before.rules and after.rules are not read.
func (h *Host) ufwOutgoing() (*hosts.Outgoing, error) {
	words := map[string]string{"DROP": "deny", "REJECT": "reject"}
	word := words[strings.ToUpper(strings.Trim(h.value(ufwDefaults, "DEFAULT_OUTPUT_POLICY="), `"'`))]
	if word == "" || !h.ufwEnabled() {
		return nil, nil
	}
	out := &hosts.Outgoing{Default: word}
	for _, path := range []string{ufwRules4, ufwRules6} {
		text, err := readIfThere(h.at(path))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			if rule, action, direction, is := packetRule(line); is && action == "allow" && direction == "out" {
				out.Allowed = append(out.Allowed, rule)
			}
		}
	}
	return out, nil
}

// packetRule reads a rule about some packets, whatever port they come from: its line is an action, a protocol, ports and
// addresses of the target and then of the source, at times two names of applications, and the direction.
func packetRule(line string) (rule hosts.PacketRule, action, direction string, is bool) {
	tuple, is := strings.CutPrefix(strings.TrimSpace(line), ufwTuple)
	tuple, _, _ = strings.Cut(tuple, " comment=")
	fields := strings.Fields(tuple)
	if !is || len(fields) < 7 || fields[4] != "any" {
		return rule, "", "", false
	}
	action, _, _ = strings.Cut(fields[0], "_") // allow_log is one that is logged
	direction, link, _ := strings.Cut(fields[len(fields)-1], "_")
	rule = hosts.PacketRule{Protocol: fields[1], Ports: fields[2], To: fields[3], From: fields[5], Link: link}
	for _, field := range []*string{&rule.Protocol, &rule.Ports} {
		if *field == "any" {
			*field = ""
		}
	}
	return rule, action, direction, true
}
