//go:build linux

package local

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

// neighbourSays is what fd00::9 answers, to all nodes: it is at 02:00:00:00:00:09.
var neighbourSays = []byte{
	0x60, 0, 0, 0, 0, 32, 58, 255,
	0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,
	0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	136, 0, 0, 0, 0x20, 0, 0, 0,
	0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,
	2, 1, 2, 0, 0, 0, 0, 9,
}

func TestNeighbourDiscovery(t *testing.T) {
	altered := func(at int, value byte) []byte {
		packet := bytes.Clone(neighbourSays)
		packet[at] = value
		return packet
	}
	silent := bytes.Clone(neighbourSays[:64])
	silent[5] = 24
	for _, test := range []struct {
		name     string
		packet   []byte
		ok       bool
		hardware string
	}{
		{"an answer", neighbourSays, true, "02:00:00:00:00:09"},
		{"an answer in a frame that was filled up", append(bytes.Clone(neighbourSays), 0, 0), true, "02:00:00:00:00:09"},
		{"one that does not say its hardware", silent, true, ""},
		{"another option", altered(64, 1), true, ""},
		{"from beyond a router", altered(7, 254), false, ""},
		{"a question", altered(40, 135), false, ""},
		{"of another protocol", altered(6, 17), false, ""},
		{"of IPv4", altered(0, 0x45), false, ""},
		{"longer than what came", altered(5, 33), false, ""},
		{"an option without a length", altered(65, 0), false, ""},
		{"an option that was cut", altered(65, 2), false, ""},
		{"one that was cut", neighbourSays[:63], false, ""},
		{"nothing", nil, false, ""},
	} {
		answer, ok := parseNeighbour(test.packet)
		if ok != test.ok || answer.hardware.String() != test.hardware {
			t.Errorf("%s is read as %+v, %t", test.name, answer, ok)
		}
		if ok && answer.target != netip.MustParseAddr("fd00::9") {
			t.Errorf("%s is of %s", test.name, answer.target)
		}
	}
}

// TestSolicitation: the question goes to whom RFC 4862 says, and the kernel takes its checksum.
func TestSolicitation(t *testing.T) {
	target := netip.MustParseAddr("fd00::ab:cd12:3456")
	group := solicitedNode(target)
	if group.String() != "ff02::1:ff12:3456" || !bytes.Equal(multicastHardware(group), []byte{0x33, 0x33, 0xff, 0x12, 0x34, 0x56}) {
		t.Errorf("it goes to %s, at %x", group, multicastHardware(group))
	}
	packet := solicit(target)
	source, message, ok := parseIPv6(packet, 58)
	if !ok || !source.IsUnspecified() || message[0] != solicitation || netip.AddrFrom16([16]byte(message[8:])) != target {
		t.Errorf("the question is %x", packet)
	}
	if sum := checksum(source, group, message); sum != 0 { // of all, the checksum with it
		t.Errorf("the checksum is wrong by %04x", sum)
	}
}

func TestVRRPOverIPv6(t *testing.T) {
	advert := append(bytes.Clone(neighbourSays[:40]), 0x31, 51, 100, 1, 0, 20, 0, 0)
	advert[5], advert[6] = 8, 112
	altered := func(at int, value byte) []byte {
		packet := bytes.Clone(advert)
		packet[at] = value
		return packet
	}
	for name, test := range map[string]struct {
		packet []byte
		want   hosts.Router
	}{
		"version 3":            {advert, hosts.Router{Source: "fd00::9", RouterID: 51, Version: 3}},
		"version 2":            {altered(40, 0x21), hosts.Router{}},
		"no router":            {altered(41, 0), hosts.Router{}},
		"from beyond a router": {altered(7, 64), hosts.Router{}},
		"another protocol":     {altered(6, 58), hosts.Router{}},
		"too short":            {altered(5, 7), hosts.Router{}},
	} {
		if got, ok := parseAdvert6(test.packet); got != test.want || ok != (test.want != hosts.Router{}) {
			t.Errorf("%s: got %+v, %t", name, got, ok)
		}
	}
}

func FuzzPackets6(f *testing.F) {
	f.Add(neighbourSays)
	f.Add(solicit(netip.MustParseAddr("fd00::9")))
	f.Fuzz(func(t *testing.T, packet []byte) {
		if answer, ok := parseNeighbour(packet); ok && (!answer.target.Is6() || len(answer.hardware) != 0 && len(answer.hardware) != hardwareLength) {
			t.Errorf("%x is read as %+v", packet, answer)
		}
		if router, ok := parseAdvert6(packet); ok && (router.Version != 3 || router.RouterID < 1 || router.RouterID > 255) {
			t.Errorf("%x is read as %+v", packet, router)
		}
	})
}
