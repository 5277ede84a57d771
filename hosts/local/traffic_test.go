//go:build linux

package local

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// The addresses of the two ends of a wire.
const (
	hereAddress, thereAddress = "192.0.2.1", "192.0.2.2"
	hereSix, thereSix         = "2001:db8::1", "2001:db8::2"
)

// The tests' first thread stays in their own namespace: /proc/net shows that one's.
func init() { runtime.LockOSThread() }

// neighbour is a network namespace at the other end of a wire: another host, as the network sees it.
type neighbour struct {
	t  *testing.T
	ns netns.NsHandle
}

func newNeighbour(t *testing.T) *neighbour {
	t.Helper()
	n := &neighbour{t: t}
	n.apart(func() {
		var err error
		if n.ns, err = netns.New(); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { _ = n.ns.Close() })
	here := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "wire0", MTU: 1500}, PeerName: "wire1", PeerNamespace: netlink.NsFd(int(n.ns))}
	if err := netlink.LinkAdd(here); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(here) })
	raise(t, "wire0", hereAddress+"/24", hereSix+"/64")
	n.run(func() { raise(t, "wire1", thereAddress+"/24", thereSix+"/64") })
	return n
}

// apart runs something in a thread that is thrown away afterwards.
func (n *neighbour) apart(run func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		run()
	}()
	<-done
}

// run runs something as the neighbour: the sockets that it opens stay there.
func (n *neighbour) run(run func()) {
	n.apart(func() {
		if err := netns.Set(n.ns); err != nil {
			n.t.Error(err)
			return
		}
		run()
	})
}

func raise(t *testing.T, name string, addresses ...string) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Error(err)
		return
	}
	for _, text := range addresses {
		address, err := netlink.ParseAddr(text)
		if err != nil {
			t.Error(err)
			return
		}
		if strings.Contains(text, ":") {
			address.Flags = 0x02 // IFA_F_NODAD: it is there at once
		}
		if err := netlink.AddrAdd(link, address); err != nil {
			t.Error(err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		t.Error(err)
	}
}

// drop has the neighbour's packet filter throw a TCP port's packets away.
func (n *neighbour) drop(port int) {
	n.t.Helper()
	conn, err := nftables.New(nftables.WithNetNSFd(int(n.ns)))
	if err != nil {
		n.t.Fatal(err)
	}
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "wall"})
	chain := conn.AddChain(&nftables.Chain{Name: "in", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter})
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{byte(port >> 8), byte(port)}},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}})
	if err := conn.Flush(); err != nil {
		n.t.Fatal(err)
	}
}

// serves has the neighbour listen for what is asked.
func (n *neighbour) serves(query hosts.TrafficQuery) *listeners {
	var open *listeners
	n.run(func() { open = openListeners(query) })
	return open
}

func (n *neighbour) mtu(size int) {
	n.run(func() {
		link, err := netlink.LinkByName("wire1")
		if err == nil {
			err = netlink.LinkSetMTU(link, size)
		}
		if err != nil {
			n.t.Error(err)
		}
	})
}

func portOf(protocol, address string, port int) hosts.Port {
	return hosts.Port{Protocol: protocol, Address: address, Port: port}
}

// TestTrafficBetweenTwoHosts has real packets go over a wire, through a real packet filter.
func TestTrafficBetweenTwoHosts(t *testing.T) {
	there := newNeighbour(t)
	there.run(func() {
		service, err := net.Listen("tcp", thereAddress+":2379")
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = service.Close() })
	})
	there.drop(2380)
	key := []byte("the run's own key")
	listen := []hosts.Port{
		portOf("tcp", thereAddress, 6443), portOf("tcp", thereAddress, 2379), portOf("tcp", thereAddress, 2380),
		portOf("udp", thereAddress, 8472), portOf("vrrp", thereAddress, 0),
		portOf("tcp", thereSix, 6443), portOf("udp", thereSix, 8472), portOf("vrrp", thereSix, 0),
		portOf("tcp", "192.0.2.77", 1),
	}
	open := there.serves(hosts.TrafficQuery{Key: key, Listen: listen})
	var probes []hosts.Probe
	var want []string
	for _, one := range []struct {
		to   hosts.Port
		want string
	}{
		{listen[0], "passed"}, {listen[1], "connected"}, {listen[2], "silent"},
		{listen[3], "passed 1500"}, {listen[4], "passed"}, {listen[5], "passed"}, {listen[6], "passed 1500"}, {listen[7], "passed"},
		{portOf("tcp", thereAddress, 10250), "refused"}, {portOf("udp", thereAddress, 8473), "refused"},
		{portOf("tcp", "203.0.113.9", 1), "no route"}, {portOf("sctp", thereAddress, 1), "not tried"},
	} {
		probe := hosts.Probe{From: hereAddress, To: one.to}
		if strings.Contains(one.to.Address, ":") {
			probe.From = hereSix
		}
		if one.to.Port == 8472 {
			probe.Size = 1500
		}
		probes, want = append(probes, probe), append(want, one.want)
	}
	for i, got := range probeAll(t.Context(), hosts.TrafficQuery{Key: key, Probe: probes}) {
		text := string(got.Passage)
		if got.Fits > 0 {
			text += fmt.Sprint(" ", got.Fits)
		}
		if text != want[i] || got.Routed {
			t.Errorf("%s %s %d: %s (%s), want %s", got.To.Protocol, got.To.Address, got.To.Port, text, got.Detail, want[i])
		}
	}
	for i, got := range open.close() {
		taken, deaf := i == 1, i == len(listen)-1
		heard := !taken && !deaf && i != 2
		if got.Taken != taken || (got.Why != "") != deaf || (len(got.Heard) == 1) != heard {
			t.Errorf("listening on %+v", got)
		}
	}
	there.run(func() { // what it listened on is free
		for _, port := range []int{6443, 2380} {
			again, err := net.Listen("tcp", fmt.Sprintf("%s:%d", thereAddress, port))
			if err != nil {
				t.Error(err)
				continue
			}
			_ = again.Close()
		}
	})
}

// TestARouterOnTheWayIsSeen by the TTL, or the hop limit, which it has lowered: here the sender has.
func TestARouterOnTheWayIsSeen(t *testing.T) {
	n := newNeighbour(t)
	for _, way := range [][2]string{{hereAddress, thereAddress}, {hereSix, thereSix}} {
		from, to, port := netip.MustParseAddr(way[0]), netip.MustParseAddr(way[1]), portOf(hosts.TrafficVRRP, way[1], 0)
		open := n.serves(hosts.TrafficQuery{Key: []byte("key"), Listen: []hosts.Port{port}})
		for hops, want := range map[int]byte{vrrpTTL: messageAnswer, vrrpTTL - 1: messageRouted} {
			socket, err := openVRRP(from)
			if err != nil {
				t.Fatal(err)
			}
			level, option := unix.IPPROTO_IP, unix.IP_TTL
			if from.Is6() {
				level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
			}
			if err := onSocket(socket.IPConn, func(fd int) error { return unix.SetsockoptInt(fd, level, option, hops) }); err != nil {
				t.Fatal(err)
			}
			answer, err := askUntilAnswered(t.Context(), []byte("key"), port, socket, func(packet []byte) error { return socket.reply(packet, netip.AddrPortFrom(to, 0)) },
				func(buffer []byte) ([]byte, error) {
					content, _, _, err := socket.receive(buffer)
					return content, err
				})
			if err != nil || answer.kind != want {
				t.Errorf("from %s with %d hops: the answer is of kind %d, want %d; %v", from, hops, answer.kind, want, err)
			}
			_ = socket.Close()
		}
		open.close()
	}
}

// TestASmallerMTUOnTheWay: the far end takes smaller packets than this one sends, and says nothing.
func TestASmallerMTUOnTheWay(t *testing.T) {
	there := newNeighbour(t)
	key := []byte("key")
	for _, six := range []bool{false, true} {
		to, from := portOf("udp", thereAddress, 8472), hereAddress
		if six {
			to, from = portOf("udp", thereSix, 8472), hereSix
		}
		there.mtu(1400)
		open := there.serves(hosts.TrafficQuery{Key: key, Listen: []hosts.Port{to}})
		got := probeAll(t.Context(), hosts.TrafficQuery{Key: key, Probe: []hosts.Probe{{From: from, To: to, Size: 1500}}})[0]
		// A veth takes four bytes more than its MTU, for a VLAN's tag.
		if got.Passage != hosts.Passed || got.Fits < 1400 || got.Fits > 1404 {
			t.Errorf("IPv6 %t: %+v", six, got)
		}
		open.close()
	}
}

// TestStrangersGetNoAnswer: who has another key neither asks nor answers, nor is an answer for
// another address one.
func TestStrangersGetNoAnswer(t *testing.T) {
	there := newNeighbour(t)
	udp, tcp := portOf("udp", thereAddress, 8472), portOf("tcp", thereAddress, 6443)
	open := there.serves(hosts.TrafficQuery{Key: []byte("theirs"), Listen: []hosts.Port{udp, tcp}})
	defer open.close()
	got := probeAll(t.Context(), hosts.TrafficQuery{Key: []byte("ours"), Probe: []hosts.Probe{{From: hereAddress, To: udp}, {From: hereAddress, To: tcp}}})
	if got[0].Passage != hosts.Silent || got[1].Passage != hosts.Connected {
		t.Errorf("%+v", got)
	}
	question, err := askMessage()
	if err != nil {
		t.Fatal(err)
	}
	key, other := []byte("ours"), portOf("udp", hereAddress, 8472)
	answer := message{messageAnswer, question.number}.marshal(key, udp)
	for name, ok := range map[string]bool{
		"the answer":        parses(key, udp, answer),
		"padded":            parses(key, udp, append(slices.Clone(answer), make([]byte, 100)...)),
		"another's address": !parses(key, other, answer),
		"cut":               !parses(key, udp, answer[:len(answer)-1]),
		"another number":    !parses(key, udp, altered(answer, 7)),
		"another kind":      !parses(key, udp, altered(answer, 4)),
	} {
		if !ok {
			t.Error(name)
		}
	}
	if question.answers(question) {
		t.Error("a question that is sent back is taken for its answer")
	}
}

func parses(key []byte, port hosts.Port, data []byte) bool {
	_, ok := parseMessage(key, port, data)
	return ok
}

func altered(data []byte, at int) []byte {
	data = slices.Clone(data)
	data[at] ^= 1
	return data
}

// TestListeningEndsWithItsContext: also while somebody is connected who says nothing.
func TestListeningEndsWithItsContext(t *testing.T) {
	port := portOf("tcp", "127.0.0.1", 6443)
	ctx, cancel := context.WithCancel(t.Context())
	listening, ended := make(chan struct{}), make(chan *hosts.Traffic, 1)
	go func() {
		ended <- (&Host{}).observeTraffic(ctx, hosts.TrafficQuery{Key: []byte("k"), Listen: []hosts.Port{port}}, func(p hosts.Progress) {
			if p.Note == hosts.NoteListening {
				close(listening)
			}
		})
	}()
	<-listening
	conn, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 6443).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	if seen := <-ended; len(seen.Listened) != 1 || seen.Listened[0].Taken || len(seen.Listened[0].Heard) > 0 {
		t.Errorf("%+v", seen)
	}
	if again, err := net.Dial("tcp", "127.0.0.1:6443"); err == nil {
		_ = again.Close()
		t.Error("it listens still")
	}
}

// TestListeningThatTimeHasEndedSaysSo, and one that was ended does not.
func TestListeningThatTimeHasEndedSaysSo(t *testing.T) {
	query := hosts.TrafficQuery{Key: []byte("k"), Listen: []hosts.Port{portOf("tcp", "127.0.0.1", 6443)}}
	past, cancelPast := context.WithDeadline(t.Context(), time.Now())
	defer cancelPast()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for ctx, over := range map[context.Context]bool{past: true, cancelled: false} {
		if seen := (&Host{}).observeTraffic(ctx, query, func(hosts.Progress) {}); len(seen.Listened) != 1 || seen.Listened[0].Over != over {
			t.Errorf("over: %t, %+v", over, seen)
		}
	}
}

// FuzzMessage: what comes from the network is a message that carries the run's proof, or none.
func FuzzMessage(f *testing.F) {
	key, port := []byte("key"), portOf("udp", hereAddress, 8472)
	f.Add(message{messageAsk, 7}.marshal(key, port))
	f.Add([]byte("slpw"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, ok := parseMessage(key, port, data); ok && !slices.Equal(m.marshal(key, port), data[:messageLength]) {
			t.Errorf("%x is read as %+v", data, m)
		}
	})
}

// TestAnAddressThatAnotherHasToo asks a real wire.
func TestAnAddressThatAnotherHasToo(t *testing.T) {
	there := newNeighbour(t)
	if found, err := conflicts(t.Context(), []string{hereAddress, hereSix}); err != nil || len(found) > 0 {
		t.Fatalf("nobody else has it: %v, %v", found, err)
	}
	there.run(func() { raise(t, "wire1", hereAddress+"/24") })
	found, err := conflicts(t.Context(), []string{hereAddress})
	if err != nil || len(found[hereAddress]) != len("00:00:00:00:00:00") {
		t.Errorf("found %v, %v", found, err)
	}
}

// TestAnAddressOfIPv6ThatANeighbourHadBefore: the kernel asks before it uses one, and what it finds is seen.
func TestAnAddressOfIPv6ThatANeighbourHadBefore(t *testing.T) {
	newNeighbour(t)
	// The neighbour answers for its address once its end of the wire is up.
	probe := hosts.Probe{From: hereSix, To: portOf(hosts.TrafficUDP, thereSix, 8473)}
	if got := sendProbe(t.Context(), []byte("key"), probe); got.Passage != hosts.Turned {
		t.Fatalf("the neighbour is not there: %+v", got)
	}
	updates, done := make(chan netlink.AddrUpdate, 16), make(chan struct{})
	defer close(done)
	if err := netlink.AddrSubscribe(updates, done); err != nil {
		t.Fatal(err)
	}
	link, err := netlink.LinkByName("wire0")
	if err != nil {
		t.Fatal(err)
	}
	address, err := netlink.ParseAddr(thereSix + "/64")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(link, address); err != nil {
		t.Fatal(err)
	}
	for late := time.After(20 * time.Second); ; {
		select {
		case update := <-updates:
			if !update.LinkAddress.IP.Equal(address.IP) || update.Flags&unix.IFA_F_DADFAILED == 0 {
				continue
			}
		case <-late:
			t.Fatal("the kernel has not said that somebody else has the address")
		}
		break
	}
	var facts hosts.Facts
	if err := (&Host{root: "/"}).observeInterfaces(t.Context(), hosts.Query{}, &facts); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(facts.Interfaces, func(l hosts.Link) bool { return l.Name == "wire0" })
	if at < 0 || !slices.Equal(facts.Interfaces[at].Duplicates, []string{thereSix + "/64"}) {
		t.Errorf("seen are %+v", facts.Interfaces)
	}
}
