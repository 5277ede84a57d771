//go:build linux

package local

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

const xmlHead = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

// firewalldFiles are the files that are Slipway's alone, by their paths: a service for each opening, the
// zone of Pods' interfaces and, where that is needed, the policy of what others send to Pods.
func firewalldFiles(open hosts.OpenFirewall) map[string][]byte {
	files := map[string][]byte{}
	for _, opening := range open.Openings {
		files[path.Join(firewalldEtc, "services", opening.Name+".xml")] = serviceFile(opening)
	}
	if len(open.Pods) == 0 {
		return files
	}
	var zone strings.Builder
	zone.WriteString(xmlHead + `<zone target="ACCEPT">` + "\n  <short>Pods</short>\n  <description>The interfaces of Kubernetes' Pods: what comes in by them is let in, and let through. Written by Slipway.</description>\n")
	for _, link := range open.Pods {
		fmt.Fprintf(&zone, "  <interface name=\"%s\"/>\n", escapeXML(link))
	}
	zone.WriteString("</zone>\n")
	files[path.Join(firewalldEtc, "zones", podsZone+".xml")] = []byte(zone.String())
	if open.IntoPods {
		files[path.Join(firewalldEtc, "policies", podsZone+".xml")] = []byte(xmlHead + `<policy target="ACCEPT">` +
			"\n  <short>To Pods</short>\n  <description>What others send to Kubernetes' Pods. Written by Slipway.</description>\n" +
			`  <ingress-zone name="ANY"/>` + "\n" + `  <egress-zone name="` + podsZone + `"/>` + "\n</policy>\n")
	}
	return files
}

func serviceFile(opening hosts.Opening) []byte {
	var text strings.Builder
	fmt.Fprintf(&text, "%s<service>\n  <short>%s</short>\n  <description>Kubernetes: %s. Written by Slipway.</description>\n",
		xmlHead, escapeXML(opening.Name), escapeXML(opening.Why))
	for _, what := range opening.Ports {
		if port, protocol, hasPort := strings.Cut(what, "/"); hasPort {
			fmt.Fprintf(&text, "  <port protocol=\"%s\" port=\"%s\"/>\n", escapeXML(protocol), escapeXML(port))
		} else {
			fmt.Fprintf(&text, "  <protocol value=\"%s\"/>\n", escapeXML(what))
		}
	}
	text.WriteString("</service>\n")
	return []byte(text.String())
}

func escapeXML(text string) string {
	var out bytes.Buffer
	_ = xml.EscapeText(&out, []byte(text)) // a buffer takes all
	return out.String()
}

// zoneLines are what opens a zone: a service where anybody is let in, else a rule for each source.
func zoneLines(open hosts.OpenFirewall) string {
	var text strings.Builder
	for _, opening := range open.Openings {
		if len(opening.From) == 0 {
			fmt.Fprintf(&text, "  <service name=\"%s\"/>\n", escapeXML(opening.Name))
		}
		for _, source := range opening.From {
			family := "ipv4"
			if strings.Contains(source, ":") {
				family = "ipv6"
			}
			fmt.Fprintf(&text, "  <rule family=\"%s\">\n    <source address=\"%s\"/>\n    <service name=\"%s\"/>\n    <accept/>\n  </rule>\n",
				family, escapeXML(source), escapeXML(opening.Name))
		}
	}
	return text.String()
}

// withOpenings is a zone's file without what is Slipway's in it and, where the zone is to be open, with
// what is wanted before its end. All else stays as it was written.
func withOpenings(zone []byte, open hosts.OpenFirewall, opens bool) ([]byte, error) {
	elements, end, err := zoneElements(zone)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	at := 0
	for _, one := range elements {
		if one.ours {
			out.Write(zone[at:lineStart(zone, one.from)])
			at = lineEnd(zone, one.to)
		}
	}
	if end < 0 { // <zone/>
		if !opens {
			return zone, nil
		}
		slash := bytes.LastIndex(zone, []byte("/>"))
		return slices.Concat(zone[:slash], []byte(">\n"+zoneLines(open)+"</zone>\n")), nil
	}
	rest := max(at, lineStart(zone, end))
	out.Write(zone[at:rest])
	if opens {
		lines := zoneLines(open)
		if rest > 0 && zone[rest-1] != '\n' { // in the midst of a line: so it can be taken out again without a trace
			lines = blanks.Replace(lines)
		}
		out.WriteString(lines)
	}
	out.Write(zone[rest:])
	return out.Bytes(), nil
}

// blanks takes the form out of zoneLines.
var blanks = strings.NewReplacer("\n", "", "    <", "<", "  <", "<")

// zoneElement is an element directly in a zone, and where it stands.
type zoneElement struct {
	from, to int
	ours     bool // it names a service of Slipway's
}

// zoneElements finds the elements of a zone, and where its end tag begins; -1: it has none.
func zoneElements(zone []byte) (elements []zoneElement, end int, err error) {
	decoder := xml.NewDecoder(bytes.NewReader(zone))
	depth, from, end := 0, 0, -1
	current := zoneElement{}
	for {
		from = int(decoder.InputOffset())
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return elements, end, nil
		}
		if err != nil {
			return nil, 0, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 1 {
				current = zoneElement{from: from}
			}
			if token.Name.Local == "service" && strings.HasPrefix(attribute(token, "name"), hosts.OpeningPrefix) {
				current.ours = true
			}
			depth++
		case xml.EndElement:
			depth--
			if depth == 1 {
				current.to = int(decoder.InputOffset())
				elements = append(elements, current)
			}
			if depth == 0 && int(decoder.InputOffset()) > from {
				end = from
			}
		}
	}
}

func attribute(element xml.StartElement, name string) string {
	for _, attr := range element.Attr {
		if attr.Name.Local == name {
			return attr.Value
		}
	}
	return ""
}

// lineStart is where the line of an element begins, if only blanks stand before it; else the element.
func lineStart(text []byte, at int) int {
	start := at
	for start > 0 && (text[start-1] == ' ' || text[start-1] == '\t') {
		start--
	}
	if start == 0 || text[start-1] == '\n' {
		return start
	}
	return at
}

// lineEnd is behind the line of an element, if nothing else follows on it; else behind the element.
func lineEnd(text []byte, at int) int {
	if at < len(text) && text[at] == '\n' {
		return at + 1
	}
	return at
}

// sameZone tells whether two files say the same of a zone, in whatever order and form.
func sameZone(one, other []byte) bool {
	a, errA := zoneWords(one)
	b, errB := zoneWords(other)
	return errA == nil && errB == nil && slices.Equal(a, b)
}

// zoneWords are the elements of a zone in an order of their own, each as one text.
func zoneWords(zone []byte) ([]string, error) {
	decoder := xml.NewDecoder(bytes.NewReader(zone))
	var words []string
	var word strings.Builder
	depth := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			slices.Sort(words)
			return words, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			slices.SortFunc(token.Attr, func(a, b xml.Attr) int { return strings.Compare(a.Name.Local, b.Name.Local) })
			fmt.Fprintf(&word, "<%s", token.Name.Local)
			for _, attr := range token.Attr {
				if attr.Name.Local != "version" {
					fmt.Fprintf(&word, " %s=%q", attr.Name.Local, attr.Value)
				}
			}
			if depth == 0 {
				words = append(words, word.String())
				word.Reset()
			}
			depth++
		case xml.CharData:
			word.WriteString(strings.TrimSpace(string(token)))
		case xml.EndElement:
			depth--
			if depth == 1 {
				words = append(words, word.String())
				word.Reset()
			}
		}
	}
}
