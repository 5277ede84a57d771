//go:build linux

package local

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
)

// arpAnswer says that 10.0.0.9 is at 02:00:00:00:00:09.
var arpAnswer = []byte{
	0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 9, 10, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0,
}

func TestARP(t *testing.T) {
	address := netip.MustParseAddr("10.0.0.9")
	altered := func(at int, value byte) []byte {
		packet := bytes.Clone(arpAnswer)
		packet[at] = value
		return packet
	}
	for _, test := range []struct {
		name   string
		packet []byte
		ok     bool
		claims bool
	}{
		{"an answer", arpAnswer, true, true},
		{"an answer in a frame that was filled up", append(bytes.Clone(arpAnswer), make([]byte, 18)...), true, true},
		{"an announcement", altered(7, 1), true, true},
		{"another operation", altered(7, 9), true, false},
		{"another's answer", altered(17, 8), true, false},
		{"of other hardware", altered(1, 2), false, false},
		{"of another protocol", altered(2, 0), false, false},
		{"with longer addresses", altered(5, 16), false, false},
		{"one that was cut", arpAnswer[:27], false, false},
	} {
		a, ok := parseARP(test.packet)
		if ok != test.ok || ok && a.claims(address) != test.claims {
			t.Errorf("%s is read as %+v, %t", test.name, a, ok)
		}
		if test.claims && a.hardware.String() != "02:00:00:00:00:09" {
			t.Errorf("%s: the holder is %s", test.name, a.hardware)
		}
	}
	probe := arpPacket{operation: arpRequest, hardware: net.HardwareAddr{2, 0, 0, 0, 0, 1}, sender: netip.IPv4Unspecified(), target: address}
	want := []byte{0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 9}
	if diff := cmp.Diff(want, probe.marshal()); diff != "" {
		t.Errorf("a probe is (-want +got):\n%s", diff)
	}
	if a, ok := parseARP(want); !ok || a.claims(address) {
		t.Error("a probe of another host, for the same address at the same time, is taken for a claim")
	}
}

// vrrpAdvertisement is one of version 3, router 51, from 10.0.0.7.
var vrrpAdvertisement = []byte{
	0x45, 0xc0, 0, 32, 0, 1, 0, 0, 255, 112, 0, 0, 10, 0, 0, 7, 224, 0, 0, 18,
	0x31, 51, 100, 1, 0, 20, 0, 0, 10, 0, 0, 9,
}

func TestVRRP(t *testing.T) {
	altered := func(at int, value byte) []byte {
		packet := bytes.Clone(vrrpAdvertisement)
		packet[at] = value
		return packet
	}
	withOptions := append(append(bytes.Clone(vrrpAdvertisement[:20]), 1, 1, 1, 0), vrrpAdvertisement[20:]...)
	withOptions[0], withOptions[3] = 0x46, 36
	for _, test := range []struct {
		name   string
		packet []byte
		want   hosts.Router
	}{
		{"version 3", vrrpAdvertisement, hosts.Router{Source: "10.0.0.7", RouterID: 51, Version: 3}},
		{"version 2", altered(20, 0x21), hosts.Router{Source: "10.0.0.7", RouterID: 51, Version: 2}},
		{"with IP options", withOptions, hosts.Router{Source: "10.0.0.7", RouterID: 51, Version: 3}},
		{"version 4", altered(20, 0x41), hosts.Router{}},
		{"no advertisement", altered(20, 0x32), hosts.Router{}},
		{"no router", altered(21, 0), hosts.Router{}},
		{"from beyond a router", altered(8, 254), hosts.Router{}},
		{"another protocol", altered(9, 6), hosts.Router{}},
		{"IPv6", altered(0, 0x65), hosts.Router{}},
		{"a header that is too short", altered(0, 0x44), hosts.Router{}},
		{"a header that is too long", altered(0, 0x4f), hosts.Router{}},
		{"longer than what came", altered(3, 33), hosts.Router{}},
		{"shorter than an advertisement", altered(3, 27), hosts.Router{}},
		{"nothing", nil, hosts.Router{}},
	} {
		got, ok := parseAdvert(test.packet)
		if diff := cmp.Diff(test.want, got); diff != "" || ok != (test.want != hosts.Router{}) {
			t.Errorf("%s, %t (-want +got):\n%s", test.name, ok, diff)
		}
	}
}

func FuzzPackets(f *testing.F) {
	f.Add(arpAnswer)
	f.Add(vrrpAdvertisement)
	f.Fuzz(func(t *testing.T, packet []byte) {
		if a, ok := parseARP(packet); ok {
			if again, ok := parseARP(a.marshal()); !ok || cmp.Diff(a.String(), again.String()) != "" {
				t.Errorf("%x is read as %s, written and read again as %s", packet, a, again)
			}
		}
		router, ok := parseAdvert(packet)
		if !ok {
			return
		}
		source, err := netip.ParseAddr(router.Source)
		if err != nil || !source.Is4() || router.RouterID < 1 || router.RouterID > 255 || router.Version < 2 || router.Version > 3 {
			t.Errorf("%x is read as %+v", packet, router)
		}
	})
}

func (a arpPacket) String() string {
	return a.hardware.String() + " " + a.sender.String() + " " + a.target.String() + " " + string(rune('0'+a.operation%10))
}

func TestNarrowestSubnetIsAsked(t *testing.T) {
	port := func(name string, prefixes ...string) networkPort {
		p := networkPort{name: name, up: true}
		for _, prefix := range prefixes {
			p.prefixes = append(p.prefixes, netip.MustParsePrefix(prefix))
		}
		return p
	}
	down := port("down", "10.0.0.3/28")
	down.up = false
	ports := []networkPort{port("wide", "10.0.0.1/8"), port("narrow", "192.168.0.1/24", "10.0.0.2/24"), port("wider", "10.0.0.4/16"), down}
	for _, test := range []struct{ address, named, want string }{
		{"10.0.0.9", "", "narrow"}, {"10.0.0.9", "wide", "wide"}, {"10.1.0.9", "", "wide"},
		{"10.0.0.9", "down", ""}, {"10.0.0.9", "none", ""}, {"11.0.0.1", "", ""},
	} {
		chosen, own := choosePort(ports, test.named, netip.MustParseAddr(test.address))
		got := ""
		if chosen != nil {
			got = chosen.name
		}
		if got != test.want || own {
			t.Errorf("%s on %q is asked on %q, own %t; want %q", test.address, test.named, got, own, test.want)
		}
	}
	if _, own := choosePort(ports, "wide", netip.MustParseAddr("10.0.0.2")); !own {
		t.Error("the host's own address on another interface is not known as its own")
	}
}
