package tui

import (
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/workflow"
)

// reason is why something is not well, with all the hosts, and all the things there, of which the same is said.
type reason struct {
	hosts      []string
	what, text string
}

var (
	nameIn    = regexp.MustCompile(`[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*`)
	addressIn = regexp.MustCompile(` \(\[?[0-9a-fA-F.:]+\]?(?::[0-9]+)?\)`) // as it stands behind a host's name
)

// hostsSlot stands for the names of hosts in a text that is the same for several of them.
const hostsSlot = "\x00"

// slotted is a text with a slot in place of the one host that it names; no host: it names none, or several.
func slotted(said string, names []string) (text, host string) {
	for _, word := range nameIn.FindAllString(said, -1) {
		if !slices.Contains(names, word) {
			continue
		}
		if host != "" && host != word {
			return said, ""
		}
		host = word
	}
	if host == "" {
		return said, ""
	}
	text = nameIn.ReplaceAllStringFunc(said, func(word string) string {
		if word == host {
			return hostsSlot
		}
		return word
	})
	return addressIn.ReplaceAllString(text, ""), host
}

// together says once what a text says of several hosts, with the names of all of them: its parts are "; " apart, as
// package workflow writes them.
func together(said string, names []string) string {
	type part struct {
		text, whole string
		hosts       []string
	}
	var parts []*part
	for one := range strings.SplitSeq(said, "; ") {
		text, host := slotted(one, names)
		i := slices.IndexFunc(parts, func(p *part) bool { return p.text == text })
		if i < 0 {
			parts = append(parts, &part{text: text, whole: one})
			i = len(parts) - 1
		}
		if host != "" && !slices.Contains(parts[i].hosts, host) {
			parts[i].hosts = append(parts[i].hosts, host)
		}
	}
	var all []string
	for _, p := range parts {
		if len(p.hosts) > 1 {
			p.whole = strings.ReplaceAll(p.text, hostsSlot, strings.Join(p.hosts, ", "))
		}
		all = append(all, p.whole)
	}
	return strings.Join(all, "; ")
}

// hostNames are those of a picture.
func hostNames(p *workflow.Picture) []string {
	var names []string
	for _, h := range p.Hosts {
		names = append(names, h.Name)
	}
	return names
}

// reasonsOf are those of a picture, each once: what is said of several hosts has all their names.
func reasonsOf(p *workflow.Picture) []reason {
	names := hostNames(p)
	var all []reason
	keys := map[[2]string]int{}
	for _, r := range p.Reasons() {
		said := together(clean(r.Text), names)
		text, _ := slotted(said, names)
		key := [2]string{r.What, text}
		i, there := keys[key]
		if !there || r.Host == "" {
			keys[key] = len(all)
			all = append(all, reason{what: clean(r.What), text: said})
			i = len(all) - 1
		}
		if r.Host != "" {
			all[i].hosts = append(all[i].hosts, clean(r.Host))
		}
		if len(all[i].hosts) > 1 {
			all[i].text = strings.ReplaceAll(text, hostsSlot, strings.Join(all[i].hosts, ", "))
		}
	}
	var fewer []reason
	for _, r := range all {
		same := func(other reason) bool { return other.text == r.text && slices.Equal(other.hosts, r.hosts) }
		if i := slices.IndexFunc(fewer, same); i >= 0 {
			fewer[i].what += ", " + r.what
		} else {
			fewer = append(fewer, r)
		}
	}
	return fewer
}

// reasonLines are why something is not well with a host, or with the whole.
func (s *shared) reasonLines(p *workflow.Picture, host string, columns int) []string {
	var lines []string
	for _, r := range reasonsOf(p) {
		if len(r.hosts) > 0 && !slices.Contains(r.hosts, host) {
			continue
		}
		said := r.what + ": " + r.text
		if len(r.hosts) > 1 {
			said = strings.Join(r.hosts, ", ") + ": " + said
		}
		lines = append(lines, wrapAll([]string{said}, columns, s.theme.mark(markBad)+" ", "  ")...)
	}
	return lines
}
