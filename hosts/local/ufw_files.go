//go:build linux

package local

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
)

// ufwEntry is a rule in a file of ufw's.
type ufwEntry struct {
	tuple string
	ours  bool // by its comment
}

// ufwHas are the rules in one of ufw's files, in their order.
type ufwHas []ufwEntry

func (has ufwHas) has(tuple string) bool {
	return slices.ContainsFunc(has, func(e ufwEntry) bool { return e.tuple == tuple })
}

// unwanted are those that Slipway has added and that are no longer wanted.
func (has ufwHas) unwanted(wanted []ufwRule, six bool) []ufwRule {
	var found []ufwRule
	for _, entry := range has {
		if !entry.ours || slices.ContainsFunc(wanted, func(rule ufwRule) bool { return rule.tuple(six) == entry.tuple }) {
			continue
		}
		if rule, understood := parseTuple(entry.tuple, six); understood {
			found = append(found, rule)
		}
	}
	return found
}

// edit takes rules out of ufw's files, by which nothing is in force.
func (u *ufw) edit(rules map[string][]ufwRule) error {
	for path, rules := range rules {
		err := edit(u.host.at(path), func(text []byte) []byte { return withoutRules(text, rules, path == ufwRules6) })
		if err != nil {
			return err
		}
	}
	return nil
}

// withoutRules is a file of ufw's without rules of Slipway's: each is an empty line, the line with its tuple, and what
// iptables-restore gets for it.
func withoutRules(text []byte, rules []ufwRule, six bool) []byte {
	var out []byte
	leaving := false
	for line := range bytes.Lines(text) {
		if entry, is := parseEntry(line); is {
			leaving = entry.ours && slices.ContainsFunc(rules, func(rule ufwRule) bool { return rule.tuple(six) == entry.tuple })
			if leaving && (bytes.HasSuffix(out, []byte("\n\n")) || string(out) == "\n") {
				out = out[:len(out)-1]
			}
		} else if !bytes.HasPrefix(line, []byte("-A ")) {
			leaving = false
		}
		if !leaving {
			out = append(out, line...)
		}
	}
	return out
}

// parseEntry reads the line of a rule; false for any other line.
func parseEntry(line []byte) (ufwEntry, bool) {
	tuple, is := strings.CutPrefix(strings.TrimSpace(string(line)), ufwTuple)
	if !is {
		return ufwEntry{}, false
	}
	tuple, comment, _ := strings.Cut(tuple, " comment=")
	said, _ := hex.DecodeString(comment) // what is no comment of Slipway's may be anything
	return ufwEntry{tuple, strings.HasPrefix(string(said), ufwComment)}, true
}

// parseTuple reads a rule out of a tuple of the file of a family; false for one that Slipway would not have added.
func parseTuple(tuple string, six bool) (ufwRule, bool) {
	fields := strings.Fields(tuple)
	if len(fields) != 7 || strings.Contains(fields[6], "!") { // in by one interface and out by another
		return ufwRule{}, false
	}
	word := func(text string) string {
		if text == "any" || text == "0.0.0.0/0" || text == "::/0" {
			return ""
		}
		return text
	}
	rule := ufwRule{routed: fields[0] == "route:allow", proto: word(fields[1]), port: word(fields[2]), from: word(fields[5])}
	rule.in, _ = strings.CutPrefix(fields[6], "in_")
	if out, is := strings.CutPrefix(fields[6], "out_"); is {
		rule.in, rule.out = "", out
	} else if fields[6] == "in" {
		rule.in = ""
	}
	return rule, rule.tuple(six) == tuple
}

// read reads ufw's files.
func (u *ufw) read() (four, six ufwHas, err error) {
	if four, err = u.readFile(ufwRules4); err != nil {
		return nil, nil, err
	}
	six, err = u.readFile(ufwRules6)
	return four, six, err
}

func (u *ufw) readFile(path string) (ufwHas, error) {
	text, err := readIfThere(u.host.at(path))
	if err != nil {
		return nil, err
	}
	var found ufwHas
	for line := range bytes.Lines(text) {
		if entry, is := parseEntry(line); is {
			found = append(found, entry)
		}
	}
	return found, nil
}

// takesIPv6 tells whether ufw keeps rules for IPv6 too.
func (u *ufw) takesIPv6() bool {
	return strings.EqualFold(strings.Trim(u.host.value(ufwDefaults, "IPV6="), `"'`), "yes")
}
