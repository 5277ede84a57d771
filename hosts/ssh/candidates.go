package ssh

import (
	"bytes"
	"cmp"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

// Candidate is a host that the operator's machine knows, and that may be meant for a cluster. What is
// empty is not said.
type Candidate struct {
	Name         string `json:"name"` // in ~/.ssh/config, or in known_hosts
	Host         string `json:"host"` // the name or address to connect to
	Port         int    `json:"port,omitempty"`
	User         string `json:"user,omitempty"`
	IdentityFile string `json:"identityFile,omitempty"`
	ProxyJump    string `json:"proxyJump,omitempty"` // as ~/.ssh/config has it
	// ProxyCommand is for the cluster file: also what a ProxyJump comes to.
	ProxyCommand string `json:"proxyCommand,omitempty"`
	From         string `json:"from"` // file:line
}

// Candidates are the hosts that stand in a user's ~/.ssh/config under a name without wildcards, then those that
// stand in known_hosts alone under a name that is not hashed; home is the user's home folder. Files that are
// not there name no hosts.
func Candidates(home string) ([]Candidate, error) {
	all, seen := readUserConfig(home).candidates(home), map[string]bool{}
	for _, one := range all {
		seen[sshdOf(one.Name, one.Port)], seen[sshdOf(one.Host, one.Port)] = true, true
	}
	for _, name := range []string{"known_hosts", "known_hosts2"} {
		file := filepath.Join(home, ".ssh", name)
		content, err := readBounded(file)
		if err != nil {
			return nil, err
		}
		for _, known := range knownCandidates(file, content) {
			if at := sshdOf(known.Host, known.Port); !seen[at] {
				all, seen[at] = append(all, known), true
			}
		}
	}
	return all, nil
}

// sshdOf is what is the same for all names of known_hosts that lead to one sshd.
func sshdOf(host string, port int) string { return lookupName(strings.ToLower(host), cmp.Or(port, 22)) }

// candidates are the configuration's names, each once.
func (c *config) candidates(home string) []Candidate {
	var all []Candidate
	seen := map[string]bool{}
	for _, a := range c.aliases {
		if seen[a.name] {
			continue
		}
		said := c.answer(subject{name: a.name, local: readLocalNames(home, DefaultUser)}) // and no command is run
		if !said.about[a.in] {
			continue
		}
		seen[a.name] = true
		if one, ok := said.candidate(a); ok {
			all = append(all, one)
		}
	}
	return all
}

// candidate is what the configuration says of a name; not ok: what it says to connect to is no host's name.
func (a *answers) candidate(named alias) (one Candidate, ok bool) {
	one = Candidate{Name: named.name, From: named.from, Host: a.host()}
	if !isHostName(one.Host) {
		return one, false
	}
	if port, err := portOf(a.word("port")); err == nil {
		one.Port = port
	}
	one.User = plainText(a.word("user"))
	if file := a.word("identityfile"); !strings.EqualFold(file, noFile) {
		if file, err := expandTokens(file, a.tokens()); err == nil {
			one.IdentityFile = plainText(file)
		}
	}
	key := "proxyjump"
	if _, runs := a.first["proxycommand"]; runs && (a.word(key) == "" || a.before("proxycommand", key)) {
		key = "proxycommand"
	}
	switch text := a.word(key); {
	case strings.EqualFold(text, noFile):
	case key == "proxyjump":
		one.ProxyJump = plainText(text)
		one.ProxyCommand = jumpCommand(one.ProxyJump)
	default:
		one.ProxyCommand = plainText(a.first[key].value)
	}
	return one, true
}

// plainText is a text that is one line and steers nothing, or else nothing.
func plainText(text string) string {
	if hosts.Escape(text) != text || strings.ContainsAny(text, "\n\t") {
		return ""
	}
	return text
}

// jumpCommand is the proxyCommand that a ProxyJump stands for; empty where it is nothing for a shell's line.
func jumpCommand(jump string) string {
	hops := strings.Split(jump, ",")
	for _, hop := range hops {
		if hop == "" || hop[0] == '-' || strings.Contains(hop, "%") || !plainWord.MatchString(strings.NewReplacer("[", "", "]", "").Replace(hop)) {
			return ""
		}
	}
	last := len(hops) - 1
	before := ""
	if last > 0 {
		before = "-J " + word(strings.Join(hops[:last], ",")) + " "
	}
	target := hops[last]
	if strings.Contains(target, ":") && !strings.HasPrefix(target, "ssh://") {
		target = "ssh://" + target // the form that a port can stand in
	}
	return "ssh " + before + "-W '[%h]:%p' " + word(target)
}

// knownCandidates are the hosts in the lines of a known_hosts file. The names of one line are one host's.
func knownCandidates(file string, content []byte) []Candidate {
	var all []Candidate
	for number, line := range bytes.Split(content, []byte("\n")) {
		marker, patterns, _, _, _, err := ssh.ParseKnownHosts(line)
		if err != nil || marker != "" {
			continue
		}
		var names, addresses []string
		at := 0
		for _, pattern := range patterns {
			host, port := partName(pattern)
			if !isHostName(host) || port != at && len(names)+len(addresses) > 0 {
				continue
			}
			at = port
			if _, err := netip.ParseAddr(host); err == nil {
				addresses = append(addresses, host)
			} else {
				names = append(names, host)
			}
		}
		if len(names)+len(addresses) == 0 {
			continue
		}
		all = append(all, Candidate{
			Name: slices.Concat(names, addresses)[0], Host: slices.Concat(addresses, names)[0], Port: at,
			From: file + ":" + strconv.Itoa(number+1),
		})
	}
	return all
}

// partName parts a name of known_hosts, [host]:port where the port is not the usual one.
func partName(name string) (host string, port int) {
	if !strings.HasPrefix(name, "[") {
		return name, 0
	}
	host, text, err := net.SplitHostPort(name)
	if err != nil {
		return "", 0
	}
	port, err = strconv.Atoi(text)
	if err != nil || port <= 0 || port >= 1<<16 {
		return "", 0
	}
	return host, port
}
