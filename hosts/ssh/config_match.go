package ssh

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// block is what stands below a Host or Match line.
type block struct {
	parent   *block // the one that its file is included in; nil: none
	from     string
	patterns []string    // of Host
	criteria []criterion // of Match; without any, and without patterns, it is about nobody
}

// criterion is a condition of a Match line.
type criterion struct {
	name    string
	negated bool
	value   string
}

// criteria are those that ssh_config(5) has; true where one has a value.
var criteria = map[string]bool{
	"all": false, "canonical": false, "final": false, "exec": true, "host": true, "originalhost": true, "user": true, "localuser": true,
	"localnetwork": true, "tagged": true, "command": true, "version": true, "sessiontype": true,
}

func parseCriteria(args []string) ([]criterion, error) {
	var all []criterion
	for i := 0; i < len(args); i++ {
		name, negated := strings.CutPrefix(strings.ToLower(args[i]), "!")
		one := criterion{name: name, negated: negated}
		if key, _, with := strings.Cut(name, "="); with {
			one.name = key
			_, one.value, _ = strings.Cut(args[i], "=")
		}
		valued, known := criteria[one.name]
		switch {
		case !known:
			return nil, fmt.Errorf("%q is no condition of ssh_config(5)", args[i])
		case valued && one.value == "":
			if i++; i == len(args) {
				return nil, fmt.Errorf("%s: its value is missing", one.name)
			}
			one.value = args[i]
		}
		all = append(all, one)
	}
	alone := slices.DeleteFunc(slices.Clone(all), func(c criterion) bool { return c.name == "canonical" || c.name == "final" })
	if len(alone) > 1 && slices.ContainsFunc(alone, func(c criterion) bool { return c.name == "all" }) {
		return nil, fmt.Errorf("all stands with other conditions")
	}
	return all, nil
}

// subject is whom a configuration is asked about, and what of it is known already.
type subject struct {
	name  string // as one would type it at ssh
	user  string // who logs in, where that is said elsewhere
	port  int    // the same
	local localNames
	// run tells whether the command of a Match exec succeeds; nil: none is run, and the condition not met.
	run func(command string) (bool, error)
}

// answers are what a configuration says of a subject.
type answers struct {
	subject
	first  map[string]configLine   // by key, what counts
	order  map[string]int          // when it was met
	all    map[string][]configLine // of the keys that add up
	about  map[*block]bool         // whether blocks are about the subject
	final  bool                    // it is the second look, for which Match final is
	found  string                  // the name that the first look has led to; Host is about it in the second
	again  bool                    // some line wants a second look
	wrong  []error
	noted  []string
	passed []configLine // lines with keys that nobody knows
}

// addsUp are the keys of which every value counts.
var addsUp = map[string]bool{"identityfile": true, "certificatefile": true}

// answer asks a configuration about a subject.
func (c *config) answer(s subject) *answers {
	a := &answers{subject: s, first: map[string]configLine{}, order: map[string]int{}, all: map[string][]configLine{}}
	a.look(c.lines)
	if value := a.word("canonicalizehostname"); a.again || value != "" && !strings.EqualFold(value, "no") {
		a.final, a.found = true, a.host()
		a.look(c.lines)
	}
	return a
}

func (a *answers) look(lines []configLine) {
	a.about = map[*block]bool{nil: true}
	for _, line := range lines {
		if line.opens != nil {
			a.about[line.opens] = a.about[line.in] && a.meets(line.opens)
			continue
		}
		if !a.about[line.in] || a.final && line.key == "hostname" { // it stays as it was found
			continue
		}
		if !known[line.key] && !a.final {
			a.passed = append(a.passed, line)
		}
		if _, said := a.first[line.key]; !said {
			a.first[line.key], a.order[line.key] = line, len(a.order)
		}
		if addsUp[line.key] && !slices.ContainsFunc(a.all[line.key], func(l configLine) bool { return slices.Equal(l.args, line.args) }) {
			a.all[line.key] = append(a.all[line.key], line)
		}
	}
}

// word is the first word of what a key says; empty where it says nothing.
func (a *answers) word(keys ...string) string {
	for _, key := range keys {
		if line, said := a.first[key]; said && len(line.args) > 0 {
			return line.args[0]
		}
	}
	return ""
}

func (a *answers) meets(b *block) bool {
	switch {
	case b.patterns != nil && a.final:
		return matchesExactly(b.patterns, a.found)
	case b.patterns != nil:
		return matchesExactly(b.patterns, a.name)
	}
	for _, c := range b.criteria {
		met, err := a.meetsOne(c)
		if err != nil {
			a.wrong = append(a.wrong, fmt.Errorf("%s: Match %s: %w", b.from, c.name, err))
			return false
		}
		if met == c.negated {
			return false
		}
	}
	return len(b.criteria) > 0
}

func (a *answers) meetsOne(c criterion) (bool, error) {
	listed := func(text string) bool { return matchesExactly(strings.Split(c.value, ","), text) }
	anyCase := func(text string) bool { // of hosts' names, but for those of Host
		return matchesExactly(strings.Split(strings.ToLower(c.value), ","), strings.ToLower(text))
	}
	switch c.name {
	case "all":
		return true, nil
	case "canonical":
		value := a.word("canonicalizehostname")
		return a.final && value != "" && !strings.EqualFold(value, "no"), nil
	case "final":
		a.again = true
		return a.final, nil
	case "host":
		return anyCase(a.host()), nil
	case "originalhost":
		return anyCase(a.name), nil
	case "user":
		return listed(a.login()), nil
	case "localuser":
		return listed(a.local.user), nil
	case "tagged":
		return listed(a.word("tag")), nil
	case "sessiontype":
		return listed("exec"), nil // commands are what is run
	case "localnetwork":
		return onNetwork(c.value)
	case "exec":
		return a.runs(c.value)
	}
	// What ssh would run on the host, and its version, are not ours.
	a.noted = append(a.noted, fmt.Sprintf("Match %s is about ssh alone, and taken as not met", c.name))
	return c.negated, nil
}

// host is the name to connect to, by what has been said so far.
func (a *answers) host() string {
	name := a.word("hostname")
	if name == "" {
		return lowerHost(a.name)
	}
	expanded, err := expandTokens(name, map[byte]string{'h': a.name, '%': "%"})
	if err != nil {
		return name
	}
	return lowerHost(expanded)
}

// lowerHost is a host's name as ssh writes it. An address's zone is an interface, whose name stays as it is.
func lowerHost(name string) string {
	name, zone, zoned := strings.Cut(name, "%")
	if zoned {
		return strings.ToLower(name) + "%" + zone
	}
	return strings.ToLower(name)
}

// login is who logs in, by what has been said so far.
func (a *answers) login() string {
	if a.user != "" {
		return a.user
	}
	if user := a.word("user"); user != "" {
		return user
	}
	return a.local.login
}

func (a *answers) runs(command string) (bool, error) {
	if a.run == nil {
		return false, nil
	}
	expanded, err := expandTokens(command, a.tokens())
	if err != nil {
		return false, err
	}
	return a.run(expanded)
}

// onNetwork tells whether an interface of this machine that is up has an address of one of the networks.
func onNetwork(networks string) (bool, error) {
	var prefixes []netip.Prefix
	for text := range strings.SplitSeq(networks, ",") {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return false, fmt.Errorf("%q is no network such as 192.0.2.0/24", text)
		}
		prefixes = append(prefixes, prefix)
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return false, err
	}
	for _, link := range interfaces {
		addresses, err := link.Addrs()
		if err != nil || link.Flags&net.FlagUp == 0 {
			continue
		}
		for _, address := range addresses {
			own, err := netip.ParsePrefix(address.String())
			if err == nil && slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(own.Addr().Unmap()) }) {
				return true, nil
			}
		}
	}
	return false, nil
}

// matchesExactly tells whether a list of patterns, some of which may be negated, is about a text.
func matchesExactly(patterns []string, text string) bool {
	found := false
	for _, pattern := range patterns {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !globs(pattern, text) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

// globs tells whether a pattern, in which only * and ? are special, stands for a text.
func globs(pattern, text string) bool {
	star, from := -1, 0
	p := 0
	for t := 0; t < len(text); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0: // the last * stands for one more
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
