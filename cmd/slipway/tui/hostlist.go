package tui

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/slipway-k8s/slipway/cluster"
)

// listed is a host as a line of a list has it.
type listed struct {
	host  cluster.Host
	named bool // the line has a name; else the machine's own is taken
	roles bool // it has roles, or the section that it stands in
	whole bool // it is from SSH's own files, with all that they say of it
	proxy bool // the list has a proxyCommand for it, which was not taken
}

// parseHosts reads a list of hosts as people have it: a name, an address or both on a line, with roles, user and
// port where they are not the usual ones. Lines of /etc/hosts and inventories of Ansible are such lists, and so are the
// hosts of a cluster file. What is no host is told, and left out.
func parseHosts(list string) (hosts []listed, problems []string) {
	if hosts := hostsOfFile(list); len(hosts) > 0 {
		return hosts, nil
	}
	var section []cluster.Role
	for number, line := range strings.Split(strings.ReplaceAll(list, "\r", "\n"), "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimLeft(strings.TrimSpace(line), "-*• ")
		if line == "" {
			continue
		}
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") && !strings.Contains(line, ":") {
			section = rolesOfWord(strings.Trim(line, "[] "))
			continue
		}
		found, err := parseHost(line)
		if err != nil {
			problems = append(problems, fmt.Sprintf("line %d: %v", number+1, err))
			continue
		}
		if !found.roles && len(section) > 0 {
			found.host.Roles, found.roles = section, true
		}
		if !isLoopback(found.host) {
			hosts = append(hosts, found)
		}
	}
	return hosts, problems
}

// hostsOfFile are the hosts of a cluster file, or of the part of one that has them; none where it is no such file.
// Only what says which hosts there are and how to log in is taken: hosts are tried as soon as they are pasted, and a
// proxyCommand is run by a shell on this machine.
func hostsOfFile(text string) []listed {
	text = strings.ReplaceAll(text, "\r", "\n") // what is pasted has the line ends of a keyboard
	if !strings.Contains(text, "hosts:") {
		return nil
	}
	if !strings.Contains(text, "apiVersion:") {
		text = "apiVersion: " + cluster.APIVersion + "\nkind: " + cluster.Kind + "\n" + text
	}
	draft, _, err := cluster.Draft([]byte(text))
	if err != nil {
		return nil
	}
	var all []listed
	for _, h := range draft.Hosts {
		all = append(all, listed{
			host: cluster.Host{Name: h.Name, Addresses: h.Addresses, Roles: h.Roles, SSH: cluster.SSH{
				Host: h.SSH.Host, Port: h.SSH.Port, User: h.SSH.User, IdentityFile: h.SSH.IdentityFile, KnownHostsFile: h.SSH.KnownHostsFile,
			}},
			named: h.Name != "", roles: len(h.Roles) > 0, proxy: h.SSH.ProxyCommand != "",
		})
	}
	return all
}

// proxiesLeftOut counts the hosts whose proxyCommand was not taken.
func proxiesLeftOut(found []listed) int {
	n := 0
	for _, one := range found {
		if one.proxy {
			n++
		}
	}
	return n
}

// isLoopback tells the line of /etc/hosts that is about the machine itself.
func isLoopback(h cluster.Host) bool {
	address, err := netip.ParseAddr(h.Address())
	return err == nil && (address.IsLoopback() || address.IsMulticast())
}

// parseHost reads one line.
func parseHost(line string) (listed, error) {
	var found listed
	names := 0
	words := strings.FieldsFunc(line, func(r rune) bool { return unicode.IsSpace(r) || r == ';' || r == '|' || r == ',' })
	for _, word := range words {
		if err := found.take(word); err != nil {
			return listed{}, err
		}
		if isName(strings.ToLower(word)) && len(rolesOfWord(word)) == 0 {
			names++
		}
	}
	if names > 1 && found.host.Address() == "" { // behind an address they are aliases, as in /etc/hosts
		return listed{}, fmt.Errorf("%q has several names and no address", line)
	}
	if !found.named && found.host.Address() == "" && found.host.SSH.Host == "" {
		return listed{}, fmt.Errorf("%q has neither a name nor an address", line)
	}
	if found.host.Address() == "" && found.host.SSH.Host == "" {
		found.host.SSH.Host = found.host.Name // it is reached by its name
	}
	return found, nil
}

// take takes one word of a line.
func (l *listed) take(word string) error {
	if key, value, is := strings.Cut(word, "="); is {
		return l.takePair(key, value)
	}
	if roles := rolesOfWord(word); len(roles) > 0 {
		l.host.Roles, l.roles = append(l.host.Roles, roles...), true
		return nil
	}
	user, rest, hasUser := strings.Cut(word, "@")
	if hasUser {
		l.host.SSH.User, word = user, rest
	}
	if address, err := netip.ParseAddr(strings.Trim(word, "[]")); err == nil {
		l.host.Addresses = append(l.host.Addresses, address.String())
		return nil
	}
	if name, port, is := strings.Cut(word, ":"); is && !strings.Contains(port, ":") {
		if err := l.takePort(port); err != nil {
			return err
		}
		return l.take(name)
	}
	return l.takeName(word)
}

// takeName takes the first name for the host's; a name with dots is how it is reached, and the host is called by its
// first part. Further ones are aliases.
func (l *listed) takeName(word string) error {
	short, _, dotted := strings.Cut(strings.ToLower(word), ".")
	if !isName(short) {
		return fmt.Errorf("%q is neither a host's name nor an address nor a role", word)
	}
	if dotted && l.host.Address() == "" && l.host.SSH.Host == "" {
		l.host.SSH.Host = word
	}
	if !l.named {
		l.host.Name, l.named = short, true
	}
	return nil
}

// isName tells whether a word can be a label of a host's name (RFC 1123).
func isName(word string) bool {
	if word == "" || len(word) > 63 || strings.HasPrefix(word, "-") || strings.HasSuffix(word, "-") {
		return false
	}
	return strings.IndexFunc(word, func(r rune) bool { return r != '-' && !('a' <= r && r <= 'z') && !('0' <= r && r <= '9') }) < 0
}

// takePair takes what Ansible's inventories write behind a name.
func (l *listed) takePair(key, value string) error {
	switch key {
	case "ansible_host", "ip", "access_ip":
		if key == "ansible_host" || l.host.Address() == "" {
			return l.take(value)
		}
	case "ansible_port":
		return l.takePort(value)
	case "ansible_user":
		l.host.SSH.User = value
	case "ansible_ssh_private_key_file":
		l.host.SSH.IdentityFile = value
	}
	return nil
}

func (l *listed) takePort(text string) error {
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return fmt.Errorf("%q is no port", text)
	}
	l.host.SSH.Port = port
	return nil
}

// rolesOfWord are the roles that a word means; none where it is no role.
func rolesOfWord(word string) []cluster.Role {
	switch strings.NewReplacer("_", "-", " ", "-").Replace(strings.ToLower(word)) {
	case "control-plane", "controlplane", "control-planes", "kube-control-plane", "master", "masters", "kube-master", "cp":
		return []cluster.Role{cluster.RoleControlPlane}
	case "worker", "workers", "node", "nodes", "kube-node", "agent", "agents":
		return []cluster.Role{cluster.RoleWorker}
	case "load-balancer", "load-balancers", "loadbalancer", "lb":
		return []cluster.Role{cluster.RoleLoadBalancer}
	}
	return nil
}

// guessRoles gives roles to hosts that have none: by their names where these tell it; else the first are
// control planes, three where there are that many, and the others workers. One host alone is both.
func guessRoles(hosts []cluster.Host) {
	open := 0
	planes := 0
	for i := range hosts {
		if len(hosts[i].Roles) == 0 {
			hosts[i].Roles = rolesOfName(hosts[i].Name)
		}
		if len(hosts[i].Roles) == 0 {
			open++
		}
		if hosts[i].HasRole(cluster.RoleControlPlane) {
			planes++
		}
	}
	wanted := 1
	if len(hosts) >= 3 {
		wanted = 3
	}
	if planes > 0 {
		wanted = planes
	}
	for i := range hosts {
		switch {
		case len(hosts[i].Roles) > 0:
		case len(hosts) == 1:
			hosts[i].Roles = []cluster.Role{cluster.RoleControlPlane, cluster.RoleWorker}
			planes++
		case planes < wanted:
			hosts[i].Roles = []cluster.Role{cluster.RoleControlPlane}
			planes++
		default:
			hosts[i].Roles = []cluster.Role{cluster.RoleWorker}
		}
	}
	if planes == 0 && len(hosts) > 0 { // all are workers by their names
		hosts[0].Roles = []cluster.Role{cluster.RoleControlPlane}
	}
}

func rolesOfName(name string) []cluster.Role {
	for _, part := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if part == "control" || part == "ctl" || part == "controller" {
			return []cluster.Role{cluster.RoleControlPlane}
		}
		if roles := rolesOfWord(part); len(roles) > 0 && part != "node" && part != "nodes" {
			return roles
		}
	}
	return nil
}

// freeName is a name that no other host has: the machine's own, else with a number behind it.
func freeName(wanted string, taken []string) string {
	wanted, _, _ = strings.Cut(strings.ToLower(wanted), ".")
	if !isName(wanted) || wanted == "localhost" {
		wanted = "node"
	}
	name := wanted
	for n := 2; slices.Contains(taken, name); n++ {
		name = fmt.Sprintf("%s-%d", wanted, n)
	}
	return name
}

func shortRoles(roles []cluster.Role) string {
	var words []string
	for _, r := range roles {
		words = append(words, string(r))
	}
	return strings.Join(words, ",")
}
