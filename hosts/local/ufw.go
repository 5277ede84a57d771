//go:build linux

package local

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// Where ufw keeps the rules that its users add: in a form of its own, and for iptables-restore.
const (
	ufwRules4   = "/etc/ufw/user.rules"
	ufwRules6   = "/etc/ufw/user6.rules"
	ufwDefaults = "/etc/default/ufw"
)

// ufwProtocols is the file of ufw's that lists the protocols which rules may name.
var ufwProtocols = []string{"/usr/lib/python3/dist-packages/ufw/util.py", "/usr/lib/python3*/site-packages/ufw/util.py"}

// ufwComment begins the comment of a rule that Slipway has added: what has another comment, or none, is
// somebody else's.
const ufwComment = "slipway: "

// ufw is the firewall of Debian's and Ubuntu's kind. Rules are read from its files and changed by its
// program, which changes the firewall that runs as well, where one does.
type ufw struct{ host *Host }

// ufwRule is a rule of ufw's that allows something.
type ufwRule struct {
	routed bool   // of what is forwarded
	in     string // the interface that it comes in by; empty: any
	out    string // the interface that it leaves by; empty: any
	proto  string
	port   string
	from   string
	why    string
}

// ufwTuple begins the line of a rule in ufw's files, which is what ufw itself reads.
const ufwTuple = "### tuple ### "

// ufwRulesOf are the rules that an opening is made of.
func (u *ufw) rulesOf(open hosts.OpenFirewall) []ufwRule {
	var rules []ufwRule
	knowsVRRP := u.knows("vrrp")
	for _, opening := range open.Openings {
		for _, what := range opening.Ports {
			port, proto, hasPort := strings.Cut(what, "/")
			rule := ufwRule{port: strings.ReplaceAll(port, "-", ":"), proto: proto, why: opening.Why}
			if !hasPort {
				rule.port, rule.proto = "", what
				if what == "vrrp" && !knowsVRRP {
					rule.proto = "" // no other word lets it in
				}
			}
			sources := opening.From
			if len(sources) == 0 {
				sources = []string{""}
			}
			for _, source := range sources {
				if source == "" && rule.port == "" && rule.proto == "" {
					continue // that would be all of everybody
				}
				rule.from = source
				rules = append(rules, rule)
			}
		}
	}
	for _, link := range open.Pods {
		rules = append(rules, ufwRule{in: link, why: "from Pods to the host"}, ufwRule{in: link, routed: true, why: "from Pods to others"})
		if open.IntoPods {
			rules = append(rules, ufwRule{out: link, routed: true, why: "from others to Pods"})
		}
	}
	return rules
}

// knows tells whether this ufw has a word for a protocol.
func (u *ufw) knows(protocol string) bool {
	for _, pattern := range ufwProtocols {
		for _, path := range u.host.glob(pattern) {
			source, err := os.ReadFile(u.host.at(path))
			if err == nil && (bytes.Contains(source, []byte(`"`+protocol+`"`)) || bytes.Contains(source, []byte(`'`+protocol+`'`))) {
				return true
			}
		}
	}
	return false
}

// arguments are what ufw is told to add or, with delete, to remove the rule.
func (r ufwRule) arguments(remove bool) []string {
	var words []string
	if r.routed {
		words = append(words, "route")
	}
	if remove {
		words = append(words, "delete")
	}
	words = append(words, "allow")
	if r.in != "" {
		words = append(words, "in", "on", r.in)
	}
	if r.out != "" {
		words = append(words, "out", "on", r.out)
	}
	if r.proto != "" {
		words = append(words, "proto", r.proto)
	}
	if r.in == "" && r.out == "" {
		words = append(words, "from", cmp.Or(r.from, "any"), "to", "any")
	}
	if r.port != "" {
		words = append(words, "port", r.port)
	}
	if !remove {
		words = append(words, "comment", ufwComment+strings.ReplaceAll(r.why, "'", "")) // ufw takes no apostrophe
	}
	return words
}

// tuple is the rule as ufw's file of a family has it; "" where it is not of that family.
func (r ufwRule) tuple(six bool) string {
	anywhere := "0.0.0.0/0"
	if six {
		anywhere = "::/0"
	}
	action, link, source := "allow", "in", anywhere
	if r.routed {
		action = "route:allow"
	}
	if r.in != "" {
		link = "in_" + r.in
	}
	if r.out != "" {
		link = "out_" + r.out
	}
	if r.from != "" {
		source = r.from
		if strings.Contains(source, ":") != six {
			return ""
		}
		if prefix, err := netip.ParsePrefix(source); err == nil && prefix.IsSingleIP() {
			source = prefix.Addr().String() // as ufw writes it
		}
	}
	return strings.Join([]string{action, cmp.Or(r.proto, "any"), cmp.Or(r.port, "any"), anywhere, "any", source, link}, " ")
}

// changes are the rules to add, and to remove: all that are Slipway's by their comment and no longer wanted, whatever
// made them. A newer ufw may have another word for what an older one was told.
func (u *ufw) changes(_ context.Context, want hosts.OpenFirewall, _ []hosts.OpenFirewall) (firewallChanges, error) {
	four, six, err := u.read()
	if err != nil {
		return firewallChanges{}, err
	}
	withSix := u.takesIPv6()
	has := func(rule ufwRule) bool {
		in4, in6 := rule.tuple(false), rule.tuple(true)
		return (in4 == "" || four.has(in4)) && (in6 == "" || !withSix || six.has(in6))
	}
	wanted := u.rulesOf(want)
	var commands [][]string
	var what []string
	for _, rule := range wanted {
		if strings.Contains(rule.from, ":") && !withSix {
			continue // ufw refuses it, and lets nothing of IPv6 in
		}
		if !has(rule) {
			commands, what = append(commands, rule.arguments(false)), append(what, rule.String())
		}
	}
	// ufw's files outlive its program, and without IPv6 it refuses to touch the second.
	_, missing := u.host.program("ufw")
	byHand := map[string][]ufwRule{}
	closed := map[string]bool{}
	for _, file := range []struct {
		path  string
		rules []ufwRule
	}{{ufwRules4, four.unwanted(wanted, false)}, {ufwRules6, six.unwanted(wanted, true)}} {
		for _, rule := range file.rules {
			text := rule.String()
			switch {
			case missing != nil, file.path == ufwRules6 && !withSix:
				byHand[file.path] = append(byHand[file.path], rule)
			case closed[text]: // one of anybody's is in both files, and ufw takes it out of both
				continue
			default:
				closed[text], commands = true, append(commands, rule.arguments(true))
			}
			what = append(what, "close "+text)
		}
	}
	return firewallChanges{what: what, apply: func(ctx context.Context) error {
		return errors.Join(u.run(ctx, commands), u.edit(byHand))
	}}, nil
}

func (r ufwRule) String() string {
	return strings.Join(slices.DeleteFunc(r.arguments(true), func(word string) bool { return word == "delete" }), " ")
}

// each is a list made of another one.
func each[A, B any](list []A, make func(A) B) []B {
	var made []B
	for _, one := range list {
		made = append(made, make(one))
	}
	return made
}

// run runs ufw once for each rule: there is no way to give it several.
func (u *ufw) run(ctx context.Context, commands [][]string) error {
	for _, arguments := range commands {
		if err := u.host.runProgram(ctx, "ufw", arguments...); err != nil {
			return err
		}
	}
	return nil
}
