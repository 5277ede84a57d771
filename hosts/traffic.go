package hosts

// TrafficQuery has hosts find out what traffic passes between them. Each is asked twice at the same time:
// one call listens until its context ends, and then tells what came; the other sends.
//
// It leaves nothing behind: what was opened for it is closed when the call ends, however it ends.
type TrafficQuery struct {
	// Key is this run's alone. Who does not have it can neither have a listener answer nor answer for
	// one, and what was recorded of another run is worth nothing.
	Key []byte `json:"key"`
	// Listen are the ports to answer on, where nobody listens yet.
	Listen []Port `json:"listen,omitempty"`
	// Probe is what to send, and to whom.
	Probe []Probe `json:"probe,omitempty"`
}

// NoteListening is the progress of a call that listens, once it does on all ports that it can.
const NoteListening = "listening"

// LongestListen is after how many seconds a host stops to listen, though nobody has said so.
const LongestListen = 45

// The protocols of ports and probes.
const (
	TrafficTCP  = "tcp"
	TrafficUDP  = "udp"
	TrafficVRRP = "vrrp" // IP protocol 112; it has no ports
)

// Port is where a host takes traffic: at one of its addresses alone.
type Port struct {
	Protocol string `json:"protocol"`
	Address  string `json:"address"`
	Port     int    `json:"port,omitempty"`
}

// Probe is traffic to be tried: from one of the host's own addresses to another host's.
type Probe struct {
	From string `json:"from"`
	To   Port   `json:"to"`
	// Size is that of the largest IP packet, in bytes, that has to pass whole, with fragmenting
	// forbidden; 0: any. UDP only.
	Size int `json:"size,omitempty"`
}

// Passage is what became of a probe.
type Passage string

// The ways in which a probe ends.
const (
	Passed    Passage = "passed"    // the run's listener has answered
	Connected Passage = "connected" // somebody has taken the connection, who is not the run's listener
	Turned    Passage = "refused"   // a reset or a "port unreachable" came back
	Rejected  Passage = "rejected"  // the network or a packet filter said that the host cannot be reached
	Routeless Passage = "no route"  // the host itself has no route there
	Barred    Passage = "barred"    // the host's own packet filter did not let it out
	Silent    Passage = "silent"    // nothing came back
	NotTried  Passage = "not tried" // it could not be sent for another reason, which Detail says
)

// Traffic is what a host has seen of the traffic asked for.
type Traffic struct {
	Listened []Listened `json:"listened,omitempty"` // in the order asked for
	Probed   []Probed   `json:"probed,omitempty"`   // in the order asked for
}

// Listened is a port that was to be listened on.
type Listened struct {
	Port
	// Taken tells that somebody listens there already. Why is why else it was not listened on;
	// empty: it was.
	Taken bool   `json:"taken,omitempty"`
	Why   string `json:"why,omitempty"`
	// Over tells that it ended after LongestListen, and nobody had said so: what was sent later found nobody there.
	Over bool `json:"over,omitempty"`
	// Heard are the addresses that asked there.
	Heard []string `json:"heard,omitempty"`
}

// Probed is a probe and what became of it.
type Probed struct {
	Probe
	Passage Passage `json:"passage"`
	Detail  string  `json:"detail,omitempty"` // the system's words
	// Fits is the size of the largest packet, in bytes, that passed whole, where that was asked for and
	// any did.
	Fits int `json:"fits,omitempty"`
	// Routed tells that a router has passed it on: adverts of VRRP are not taken then.
	Routed bool `json:"routed,omitempty"`
}

// clean makes the system's words fit to be shown.
func (t *Traffic) clean() {
	if t == nil {
		return
	}
	for i := range t.Listened {
		t.Listened[i].Why = CleanLine(t.Listened[i].Why)
	}
	for i := range t.Probed {
		t.Probed[i].Detail = CleanLine(t.Probed[i].Detail)
	}
}
