//go:build linux

package local_test

import (
	"bufio"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/slipway-k8s/slipway/hosts/local"
)

// fakeFirewalld answers as firewalld does on D-Bus, from the files of a machine: what it last read of them
// is in force.
type fakeFirewalld struct {
	t       *testing.T
	root    string
	refuses error // what a reload ends with, once

	mu      sync.Mutex
	reloads int
	running map[string]zoneSettings
	// policies, sets and direct are what is in force beside zones, and only that.
	policies map[string][]string // services
	sets     map[string][]string
	direct   [][]string // words of rules of IPv4, chain INPUT
}

// zoneSettings are what the tests need of a zone.
type zoneSettings struct {
	Services []named `xml:"service"`
	Links    []named `xml:"interface"`
	Rules    []struct {
		Family  string `xml:"family,attr"`
		Service named  `xml:"service"`
		Source  struct {
			Address string `xml:"address,attr"`
		} `xml:"source"`
	} `xml:"rule"`
}

type named struct {
	Name string `xml:"name,attr"`
}

func newFakeFirewalld(m *machine) *fakeFirewalld {
	m.t.Helper()
	m.systemd.units["firewalld.service"] = local.UnitState{Load: "loaded", Active: "active", Enabled: "enabled"}
	f := &fakeFirewalld{t: m.t, root: m.root}
	f.running = f.files()
	return f
}

// files reads the zones of the machine: the administrator's before the package's.
func (f *fakeFirewalld) files() map[string]zoneSettings {
	zones := map[string]zoneSettings{}
	for _, folder := range []string{"usr/lib", "etc"} {
		paths, _ := filepath.Glob(filepath.Join(f.root, folder, "firewalld/zones/*.xml"))
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.t.Error(err)
			}
			var zone zoneSettings
			if err := xml.Unmarshal(text, &zone); err != nil {
				f.t.Errorf("%s: %v", path, err)
			}
			zones[strings.TrimSuffix(filepath.Base(path), ".xml")] = zone
		}
	}
	return zones
}

func (z zoneSettings) answer() map[string]dbus.Variant {
	names := func(list []named) []string {
		found := []string{}
		for _, one := range list {
			found = append(found, one.Name)
		}
		return found
	}
	rules := []string{}
	for _, rule := range z.Rules {
		rules = append(rules, fmt.Sprintf(`rule family=%q source address=%q service name=%q accept`, rule.Family, rule.Source.Address, rule.Service.Name))
	}
	return map[string]dbus.Variant{
		"services": dbus.MakeVariant(names(z.Services)), "interfaces": dbus.MakeVariant(names(z.Links)), "rules_str": dbus.MakeVariant(rules),
		"ports": dbus.MakeVariant([][]any{}), "masquerade": dbus.MakeVariant(false),
	}
}

// call answers one method.
func (f *fakeFirewalld) call(method string, args []any) ([]any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	zone := func(zones map[string]zoneSettings, name any) ([]any, error) {
		settings, there := zones[fmt.Sprint(name)]
		if !there {
			return nil, errors.New("INVALID_ZONE: " + fmt.Sprint(name))
		}
		return []any{settings.answer()}, nil
	}
	switch method {
	case "org.freedesktop.DBus.Properties.Get":
		return []any{dbus.MakeVariant("1.3.3")}, nil
	case "org.fedoraproject.FirewallD1.getDefaultZone":
		return []any{"public"}, nil
	case "org.fedoraproject.FirewallD1.zone.getActiveZones":
		return []any{map[string]map[string][]string{"internal": {"interfaces": {"eth0"}, "sources": {"10.3.0.0/24", "ipset:lan"}}}}, nil
	case "org.fedoraproject.FirewallD1.zone.getZones":
		return []any{slices.Sorted(maps.Keys(f.running))}, nil
	case "org.fedoraproject.FirewallD1.zone.getZoneSettings2":
		return zone(f.running, args[0])
	case "org.fedoraproject.FirewallD1.config.getZoneByName":
		return []any{dbus.ObjectPath("/zone/" + strings.ReplaceAll(fmt.Sprint(args[0]), "-", "_"))}, nil
	case "org.fedoraproject.FirewallD1.policy.getPolicies":
		return []any{slices.Sorted(maps.Keys(f.policies))}, nil
	case "org.fedoraproject.FirewallD1.policy.getPolicySettings":
		return []any{map[string]dbus.Variant{"services": dbus.MakeVariant(f.policies[fmt.Sprint(args[0])])}}, nil
	case "org.fedoraproject.FirewallD1.ipset.getIPSets":
		return []any{slices.Sorted(maps.Keys(f.sets))}, nil
	case "org.fedoraproject.FirewallD1.ipset.getEntries":
		return []any{f.sets[fmt.Sprint(args[0])]}, nil
	case "org.fedoraproject.FirewallD1.direct.getAllRules":
		return []any{f.rules()}, nil
	case "org.fedoraproject.FirewallD1.reload":
		f.reloads++
		if err := f.refuses; err != nil {
			f.refuses = nil
			return nil, err
		}
		f.running = f.files()
		return nil, nil
	}
	return nil, errors.New("unknown method " + method)
}

// directRule is a rule as D-Bus has it.
type directRule struct {
	Family, Table, Chain string
	Priority             int32
	Words                []string
}

func (f *fakeFirewalld) rules() []directRule {
	rules := []directRule{}
	for _, words := range f.direct {
		rules = append(rules, directRule{"ipv4", "filter", "INPUT", 0, words})
	}
	return rules
}

// config answers for the object of a zone's files.
func (f *fakeFirewalld) config(path dbus.ObjectPath) []any {
	name := strings.ReplaceAll(strings.TrimPrefix(string(path), "/zone/"), "_", "-")
	return []any{f.files()[name].answer()}
}

// bus connects to the fake, without a bus in between.
func (f *fakeFirewalld) bus() (*dbus.Conn, error) {
	ours, theirs := net.Pipe()
	go f.serve(theirs)
	conn, err := dbus.NewConn(ours)
	if err != nil {
		return nil, err
	}
	return conn, conn.Auth([]dbus.Auth{dbus.AuthAnonymous()})
}

func (f *fakeFirewalld) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	_, _ = in.ReadByte() // a zero, before all
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		answer := "REJECTED ANONYMOUS\r\n"
		switch {
		case strings.HasPrefix(line, "BEGIN"):
			f.answerAll(in, conn)
			return
		case strings.HasPrefix(line, "AUTH ANONYMOUS"):
			answer = "OK 0123456789abcdef0123456789abcdef\r\n"
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

func (f *fakeFirewalld) answerAll(in io.Reader, out io.Writer) {
	for {
		message, err := dbus.DecodeMessage(in)
		if err != nil {
			return
		}
		method := fmt.Sprint(message.Headers[dbus.FieldInterface].Value(), ".", message.Headers[dbus.FieldMember].Value())
		method = strings.ReplaceAll(method, " ", "")
		var body []any
		if method == "org.fedoraproject.FirewallD1.config.zone.getSettings2" {
			body = f.config(message.Headers[dbus.FieldPath].Value().(dbus.ObjectPath))
		} else {
			body, err = f.call(method, message.Body)
		}
		reply := dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{dbus.FieldReplySerial: dbus.MakeVariant(message.Serial())}, Body: body}
		if err != nil {
			reply.Type, reply.Body = dbus.TypeError, []any{err.Error()}
			name := "org.fedoraproject.FirewallD1.Exception"
			if strings.HasPrefix(err.Error(), "unknown method") {
				name = "org.freedesktop.DBus.Error.UnknownMethod"
			}
			reply.Headers[dbus.FieldErrorName] = dbus.MakeVariant(name)
		}
		if len(reply.Body) > 0 {
			reply.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(reply.Body...))
		}
		if err := reply.EncodeTo(out, binary.LittleEndian); err != nil {
			f.t.Error(err)
			return
		}
	}
}
