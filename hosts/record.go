package hosts

var _ = register(Claim{}, Restore{}, TidyStore{}, Forget{})

// Claim notes which cluster the host belongs to, before its first change.
type Claim struct {
	Cluster Identity `json:"cluster"`
	// Node is the host's name in the cluster file; with it the host notes which machine it is.
	Node string `json:"node,omitempty"`
}

func (a Claim) describe() Description {
	return Description{Kind: "claim", Deed: "claim for cluster " + a.Cluster.Name}
}

// Restore puts one setting of the record back to what it was. Value is what the record
// says, for people; the host believes its record.
type Restore struct {
	Setting string `json:"setting"`
	Value   string `json:"value,omitempty"`
}

func (a Restore) describe() Description {
	return Description{Kind: "restore", Deed: "restore " + a.Setting}
}

// TidyStore removes blobs from the host's store once nothing in hand needs them.
type TidyStore struct{}

func (TidyStore) describe() Description {
	return Description{Kind: "tidy-store", Deed: "tidy the store"}
}

// Forget removes Slipway's store, agent and record: a reset's last action. The rest of
// what the record names must be gone; else it fails and says what is left.
type Forget struct{}

func (Forget) describe() Description {
	return Description{Kind: "forget", Deed: "forget: remove store, agent and record"}
}

// Identity names a cluster: the SHA-256 of its CA's public key, and its name.
type Identity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Record is the inventory and undo record, one file on each host: what Slipway made,
// and what a setting was before.
type Record struct {
	Version int      `json:"version"`
	Cluster Identity `json:"cluster"`
	// Machine is nil on a host that an older Slipway claimed.
	Machine *Machine `json:"machine,omitempty"`
	Paths   []Owned  `json:"paths,omitempty"`
	Units   []string `json:"units,omitempty"`
	Images  []string `json:"images,omitempty"`
	Priors  []Prior  `json:"priors,omitempty"`
}

// Machine is which machine a host was when it was claimed. The record goes wherever the
// disk goes; by this it can be told whether it is still, and alone, where it was written.
type Machine struct {
	Node      string `json:"node"`     // its name in the cluster file, which is its node's
	Hostname  string `json:"hostname"` // what it called itself then, before Slipway named it
	MachineID string `json:"machineID"`
}

// Owned is a path that Slipway made.
type Owned struct {
	Path   string   `json:"path"`
	Type   FileType `json:"type"`
	Digest string   `json:"digest,omitempty"` // of a file as written; empty for seeds, which live on
}

// Prior is what a setting was before Slipway first changed it.
type Prior struct {
	// Setting is kind/name: sysctl/net.ipv4.ip_forward, swap/<device>, hostname,
	// hosts/<address>, module/<name>, unit/<name>, file/<path>.
	Setting string `json:"setting"`
	Value   string `json:"value,omitempty"`
	Absent  bool   `json:"absent,omitempty"` // there was nothing
	// Set is what Slipway last made of a kernel parameter: where it is something else by
	// now, somebody else has set it since, and it is not put back.
	Set string `json:"set,omitempty"`
}
