package checks

import (
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// triedView is a cluster of a control plane and two workers, of which probes came back as given: each by the
// numbers of the hosts it goes from and to.
func triedView(listening bool, probed ...probedWay) view.View {
	v := view.View{Cluster: testCluster("cp-1", "w-1", "w-2"), Facts: map[string]hosts.Facts{}, Workflow: view.Init}
	for _, host := range v.Cluster.Hosts {
		traffic := &hosts.Traffic{}
		for _, port := range []hosts.Port{{Protocol: "tcp", Port: 6443}, {Protocol: "tcp", Port: 10250}, {Protocol: "udp", Port: 8472}} {
			port.Address = host.Address()
			traffic.Listened = append(traffic.Listened, hosts.Listened{Port: port, Taken: !listening})
		}
		v.Facts[host.Name] = hosts.Facts{Traffic: traffic, Interfaces: []hosts.Link{{Name: "eth0", MTU: 1500, Addresses: []string{host.Address() + "/24"}}}}
	}
	for _, way := range probed {
		from, to := v.Cluster.Hosts[way.from], v.Cluster.Hosts[way.to]
		way.Probe = hosts.Probe{From: from.Address(), To: hosts.Port{Protocol: way.protocol, Address: to.Address(), Port: way.port}, Size: way.size}
		traffic := v.Facts[from.Name].Traffic
		traffic.Probed = append(traffic.Probed, way.Probed)
	}
	return v
}

type probedWay struct {
	from, to int
	protocol string
	port     int
	size     int
	hosts.Probed
}

func way(from, to int, protocol string, port int, passage hosts.Passage) probedWay {
	return probedWay{from: from, to: to, protocol: protocol, port: port, Probed: hosts.Probed{Passage: passage}}
}

// TestTrafficThatDoesNotPass: what is broken, by whom it can be seen, and what may be the cause.
func TestTrafficThatDoesNotPass(t *testing.T) {
	for name, test := range map[string]struct {
		listening bool
		ways      []probedWay
		want      []string // beginning with the severity, the host and the check; parts of the finding follow
	}{
		"all passes":             {true, []probedWay{way(1, 0, "tcp", 6443, hosts.Passed), way(0, 1, "udp", 8472, hosts.Passed)}, nil},
		"a real service answers": {false, []probedWay{way(1, 0, "tcp", 6443, hosts.Connected)}, nil},
		"a host lets nobody in": {true, []probedWay{way(1, 0, "tcp", 6443, hosts.Silent), way(2, 0, "tcp", 6443, hosts.Silent)},
			[]string{"error cp-1 Traffic-tcp-6443|TCP 6443 (the API server) from w-1, w-2 to cp-1 does not arrive|let through TCP port 6443 on cp-1 from 10.0.0.2, 10.0.0.3"}},
		"a host reaches nobody": {true, []probedWay{way(0, 1, "tcp", 10250, hosts.Rejected), way(0, 2, "tcp", 10250, hosts.Rejected)},
			[]string{"error cp-1 Traffic-tcp-10250|from cp-1 to w-1, w-2 is rejected"}},
		"two causes": {true, []probedWay{way(1, 0, "tcp", 6443, hosts.Silent), way(2, 0, "tcp", 6443, hosts.Turned)},
			[]string{"error cp-1 Traffic-tcp-6443|from w-1 to cp-1 does not arrive", "error cp-1 Traffic-tcp-6443|from w-2 to cp-1 is refused, though a listener was there"}},
		"a service that is down": {false, []probedWay{way(1, 0, "tcp", 6443, hosts.Turned)}, []string{"warning cp-1 Traffic-tcp-6443|nothing listens there now"}},
		"no route":               {true, []probedWay{way(1, 0, "tcp", 6443, hosts.Routeless)}, []string{"error cp-1 Traffic-tcp-6443|has no route|ip route get 10.0.0.1"}},
		"no route to two": {true, []probedWay{way(0, 1, "tcp", 10250, hosts.Routeless), way(0, 2, "tcp", 10250, hosts.Routeless)},
			[]string{"error cp-1 Traffic-tcp-10250|a route to 10.0.0.2, 10.0.0.3: ip route get 10.0.0.2 shows"}},
		"its own filter":        {true, []probedWay{way(1, 0, "tcp", 6443, hosts.Barred)}, []string{"error cp-1 Traffic-tcp-6443|own packet filter"}},
		"somebody else answers": {true, []probedWay{way(1, 0, "tcp", 6443, hosts.Connected)}, []string{"warning cp-1 Traffic-tcp-6443|is answered by something else"}},
		"what could not be tried": {true, []probedWay{way(1, 0, "tcp", 6443, hosts.NotTried), way(1, 2, "udp", 8472, hosts.NotTried)},
			[]string{"warning w-1 |to cp-1 by TCP 6443, to w-2 by UDP 8472|were not tried: for a reason that is not known"}},
		"the overlay": {true, []probedWay{way(1, 2, "udp", 8472, hosts.Silent)}, []string{"error w-2 Traffic-udp-8472|flannel's VXLAN|no answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			found := brokenTraffic(triedView(test.listening, test.ways...))
			if !test.listening { // which tells of UDP that was not tried
				found = found[:max(0, len(found)-3)]
			}
			if len(found) != len(test.want) {
				t.Fatalf("%d findings, want %d: %v", len(found), len(test.want), found)
			}
			for i, want := range test.want {
				head, parts, _ := strings.Cut(want, "|")
				severity := found[i].Severity
				if severity == "" {
					severity = Error
				}
				if got := string(severity) + " " + found[i].Host + " " + found[i].Check; got != head {
					t.Errorf("%s, want %s", got, head)
				}
				for _, part := range strings.Split(parts, "|") {
					if !strings.Contains(found[i].String(), part) {
						t.Errorf("%q is not in %s", part, found[i])
					}
				}
			}
		})
	}
}

// TestAnAnswerThatIsLost: the question arrives, so it is the way back.
func TestAnAnswerThatIsLost(t *testing.T) {
	v := triedView(true, way(1, 0, "udp", 8472, hosts.Silent))
	v.Facts["cp-1"].Traffic.Listened[2].Heard = []string{"10.0.0.2"}
	found := brokenTraffic(v)
	if len(found) != 1 || !strings.Contains(found[0].Seen, "arrives, and the answer does not come back") {
		t.Errorf("%v", found)
	}
}

// TestWhatWasSentTooLateWasNotTried: the listener had ended by itself, and what comes back of it says nothing.
func TestWhatWasSentTooLateWasNotTried(t *testing.T) {
	for name, test := range map[string]struct {
		way   probedWay
		heard bool
		tried bool
	}{
		"refused":             {way(1, 0, "tcp", 6443, hosts.Turned), false, false},
		"no answer":           {way(1, 0, "udp", 8472, hosts.Silent), false, false},
		"it had passed":       {way(1, 0, "tcp", 6443, hosts.Passed), false, true},
		"it had arrived":      {way(1, 0, "udp", 8472, hosts.Silent), true, true},
		"no route to it":      {way(1, 0, "tcp", 6443, hosts.Routeless), false, true},
		"the sender's filter": {way(1, 0, "tcp", 6443, hosts.Barred), false, true},
	} {
		v := triedView(true, test.way)
		for i := range v.Facts["cp-1"].Traffic.Listened {
			listened := &v.Facts["cp-1"].Traffic.Listened[i]
			if listened.Over = true; test.heard {
				listened.Heard = []string{"10.0.0.2"}
			}
		}
		found := brokenTraffic(v)
		told := len(found) == 1 && found[0].Severity == Warning && strings.Contains(found[0].Seen, "were not tried: cp-1 listened no more")
		if told == test.tried {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// TestAKnownFirewallOnlyWarns: it has a check of its own, and is opened.
func TestAKnownFirewallOnlyWarns(t *testing.T) {
	v := triedView(true, way(1, 0, "tcp", 6443, hosts.Rejected))
	facts := v.Facts["cp-1"]
	facts.Firewall = "firewalld"
	v.Facts["cp-1"] = facts
	found := brokenTraffic(v)
	if len(found) != 1 || found[0].Severity != Warning || !strings.Contains(found[0].Seen, "firewalld runs on cp-1") {
		t.Errorf("%v", found)
	}
}

// TestAFirewallThatIsOpenedExcusesOnlyWhatItMayHaveStopped: no plan mends a route, or what the sender's own filter
// keeps back; and one that Slipway cannot open stays as it is.
func TestAFirewallThatIsOpenedExcusesOnlyWhatItMayHaveStopped(t *testing.T) {
	new, old := hosts.FirewallState{Version: "1.3.4"}, hosts.FirewallState{Version: "0.8.2"}
	for name, test := range map[string]struct {
		passage hosts.Passage
		state   hosts.FirewallState
		heard   bool
		want    Severity
		named   string // the firewall that may be it
	}{
		"dropped":              {hosts.Silent, new, false, Warning, "firewalld runs on cp-1, which the plan has let this through"},
		"rejected":             {hosts.Rejected, new, false, Warning, "firewalld runs on cp-1, which the plan has let this through"},
		"refused":              {hosts.Turned, new, false, Warning, "firewalld runs on cp-1, which the plan has let this through"},
		"no route":             {hosts.Routeless, new, false, "", ""},
		"kept back":            {hosts.Barred, new, false, "", "ufw runs on w-1"},
		"the answer is lost":   {hosts.Silent, new, true, "", ""},
		"too old to be opened": {hosts.Rejected, old, false, "", "firewalld runs on cp-1"},
	} {
		t.Run(name, func(t *testing.T) {
			v := triedView(true, way(1, 0, "tcp", 6443, test.passage))
			to, from := v.Facts["cp-1"], v.Facts["w-1"]
			to.Firewall, to.FirewallState, from.Firewall = hosts.Firewalld, test.state, hosts.UFW
			if test.heard {
				to.Traffic.Listened[0].Heard = []string{"10.0.0.2"}
			}
			v.Facts["cp-1"], v.Facts["w-1"] = to, from
			found := brokenTraffic(v)
			if len(found) != 1 || found[0].Severity != test.want {
				t.Fatalf("%v", found)
			}
			if _, firewall, _ := strings.Cut(found[0].Seen, "; "); firewall != test.named {
				t.Errorf("%q is named, want %q", firewall, test.named)
			}
		})
	}
}

// TestVRRPPassesNoRouter: keepalived takes adverts only with a TTL that no router has lowered.
func TestVRRPPassesNoRouter(t *testing.T) {
	v := triedView(true)
	v.Cluster = testCluster("cp-1", "cp-2")
	probe := hosts.Probe{From: "10.0.0.1", To: hosts.Port{Protocol: "vrrp", Address: "10.0.0.2"}}
	for _, routed := range []bool{true, false} {
		v.Facts["cp-1"].Traffic.Probed = []hosts.Probed{{Probe: probe, Passage: hosts.Passed, Routed: routed}}
		found := brokenTraffic(v)
		if (len(found) == 1) != routed || routed && (found[0].Check != "Traffic-vrrp" || !strings.Contains(found[0].Seen, "(IP protocol 112)")) {
			t.Errorf("routed %t: %v", routed, found)
		}
	}
}

// TestASmallPathIsNamedWithTheValueToSet: the smallest of a host's paths counts.
func TestASmallPathIsNamedWithTheValueToSet(t *testing.T) {
	large, small, smaller := way(1, 0, "udp", 8472, hosts.Passed), way(0, 1, "udp", 8472, hosts.Passed), way(0, 2, "udp", 8472, hosts.Passed)
	large.size, large.Fits = 1500, 1500
	small.size, small.Fits = 1500, 1450
	smaller.size, smaller.Fits = 1500, 1400
	found := smallPaths(triedView(true, large, small, smaller))
	if len(found) != 1 || found[0].Host != "cp-1" {
		t.Fatalf("%v", found)
	}
	for _, part := range []string{"more than 1400 bytes", "w-1, w-2", "eth0 sends up to 1500", "up to 1450 bytes, with the 50", "ip link set dev eth0 mtu 1400"} {
		if !strings.Contains(found[0].String(), part) {
			t.Errorf("%q is not in %s", part, found[0])
		}
	}
}

// TestNoLargerMTUIsAdvisedThanThePeersCardHas: a card of 1400 may let 1404 in.
func TestNoLargerMTUIsAdvisedThanThePeersCardHas(t *testing.T) {
	small := way(0, 2, "udp", 8472, hosts.Passed)
	small.size, small.Fits = 1500, 1404
	v := triedView(true, small)
	v.Facts["w-2"].Interfaces[0].MTU = 1400
	if found := smallPaths(v); len(found) != 1 || !strings.Contains(found[0].String(), "dev eth0 mtu 1400,") {
		t.Error(found)
	}
}

// TestTrafficIsSummedUp: how much of each flow was tried.
func TestTrafficIsSummedUp(t *testing.T) {
	for _, row := range Traffic(triedView(true, way(1, 0, "tcp", 6443, hosts.Silent), way(2, 0, "tcp", 6443, hosts.Passed), way(0, 1, "tcp", 10250, hosts.NotTried))) {
		want := TrafficRow{Protocol: row.Protocol, Port: row.Port, Why: row.Why, Ways: row.Ways}
		if row.Port == 6443 && row.Protocol == cluster.ProtocolTCP {
			want.Ways, want.Tried, want.Broken = 2, 2, 1
		}
		if row != want || row.Ways == 0 {
			t.Errorf("%+v, want %+v", row, want)
		}
	}
}

// TestWhyAWayWasNotTriedIsTold in the system's words, which say what to do about it.
func TestWhyAWayWasNotTriedIsTold(t *testing.T) {
	untried := way(1, 0, "tcp", 6443, hosts.NotTried)
	untried.Detail = "cannot assign requested address"
	found := Some(view.Init, triedView(true, untried), "Traffic")
	if len(found) != 1 || found[0].Severity != Warning || !strings.Contains(found[0].Seen, "cannot assign requested address") {
		t.Errorf("%v", found)
	}
}

// TestUntriedTrafficIsNotFine: a report says that nothing was tried, and not that all passes.
func TestUntriedTrafficIsNotFine(t *testing.T) {
	for _, result := range Report(view.Init, reportView()) {
		if (result.Check == "Traffic" || result.Check == "PathMTU") && result.Outcome != NotAsked {
			t.Errorf("%+v", result)
		}
	}
}

// TestAHostThatIsDownStopsNobody: a join goes on beside a control plane that is dead.
func TestAHostThatIsDownStopsNobody(t *testing.T) {
	v := triedView(false, way(1, 0, "tcp", 6443, hosts.Silent))
	delete(v.Facts, "cp-1")
	found := slices.DeleteFunc(brokenTraffic(v), func(f Finding) bool { return !strings.HasPrefix(f.Check, "Traffic-") })
	if len(found) != 1 || found[0].Severity != Warning {
		t.Errorf("%v", found)
	}
}
