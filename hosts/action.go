package hosts

// Action is one thing that a host can be asked to do. The set is closed: it is the
// types of this file, and a host compares before it acts.
type Action interface {
	// Kind is the action's name on the wire, in plans and in journals.
	Kind() string
	action()
}

// WriteFile puts content at a path: written beside it, synced, renamed.
type WriteFile struct {
	Path    string `json:"path"`
	Mode    uint32 `json:"mode"`
	UID     int    `json:"uid,omitempty"`
	GID     int    `json:"gid,omitempty"`
	Content string `json:"content"` // a Blob's Ref
	Size    int64  `json:"size"`
	Secret  bool   `json:"secret,omitempty"`
	// Seed writes only where nothing is; afterwards the file belongs to its maintainer.
	Seed bool `json:"seed,omitempty"`
}

// MakeDirectory makes a directory, and its parents with mode 0755.
type MakeDirectory struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"`
	UID  int    `json:"uid,omitempty"`
	GID  int    `json:"gid,omitempty"`
}

// MakeSymlink makes a symbolic link.
type MakeSymlink struct {
	Path   string `json:"path"`
	Target string `json:"target"`
	Seed   bool   `json:"seed,omitempty"`
}

// RemovePath removes a file, link or, with Recursive, a directory and all below it.
// It never crosses into another file system, and unmounts nothing.
type RemovePath struct {
	Path      string `json:"path"`
	Recursive bool   `json:"recursive,omitempty"`
	// IfEmpty removes a directory only when nothing is left in it.
	IfEmpty bool `json:"ifEmpty,omitempty"`
}

// Unpack puts the files of one set of the bundle in place, out of its layers.
type Unpack struct {
	Set   string       `json:"set"`
	Files []UnpackFile `json:"files"`
}

// UnpackFile is one file or link of a set.
type UnpackFile struct {
	Path   string `json:"path"`
	Layer  string `json:"layer,omitempty"` // digest of the layer's blob
	Entry  string `json:"entry,omitempty"` // its path in the layer
	Digest string `json:"digest,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Mode   uint32 `json:"mode,omitempty"`
	Target string `json:"target,omitempty"`
}

// SetUnit brings a systemd unit into a state.
type SetUnit struct {
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
	Active  bool   `json:"active"`
	// Inputs is the digest of all that the unit reads: where it differs from the one it
	// was last started with, the unit is restarted, or reloaded if Reload is set.
	Inputs string `json:"inputs,omitempty"`
	Reload bool   `json:"reload,omitempty"`
	// Restart restarts (or reloads) a running unit even where Inputs are those that it was
	// started with: some of them had been changed since, and it may have read them.
	Restart bool `json:"restart,omitempty"`
	// Steady is how many seconds the unit has to stay up by itself after it was started, restarted
	// or reloaded: one that ends before, or that systemd starts again, has failed.
	Steady int `json:"steadySeconds,omitempty"`
}

// StopUnits stops units in this order, one right after another: what belongs together is
// not missed between one's end and the next's. No name may be there twice.
type StopUnits struct {
	Names []string `json:"names"`
	// Enabled has them start again at the host's next boot; else they are disabled.
	Enabled bool `json:"enabled,omitempty"`
}

// LoadImage puts an image into containerd's store, unpacks it and pins it.
type LoadImage struct {
	Reference string      `json:"reference"`
	Manifest  ImageBlob   `json:"manifest"`
	Blobs     []ImageBlob `json:"blobs"` // config and layers
}

// ImageBlob is one blob of an image.
type ImageBlob struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

// SetSysctl sets a kernel parameter now; the file that keeps it is a WriteFile.
type SetSysctl struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// LoadModule loads a kernel module now.
type LoadModule struct {
	Name string `json:"name"`
}

// DisableSwap turns all swap off, now and for the next boot.
type DisableSwap struct{}

// SetHostname sets the static and the running host name.
type SetHostname struct {
	Name string `json:"name"`
}

// AddHostsEntry adds a line to /etc/hosts, marked as Slipway's.
type AddHostsEntry struct {
	Address string   `json:"address"`
	Names   []string `json:"names"`
}

// TakeLease takes the host for this operator until the Host is closed or ReleaseLease
// is done. Taking it again by the same Host is Unchanged.
type TakeLease struct {
	Holder string `json:"holder"`
	// Plan is the digest of the plan that the lease is for: the host's journal names it
	// with every action done under the lease.
	Plan string `json:"plan,omitempty"`
}

// ReleaseLease gives back the lease that this Host took; without one it is Unchanged.
type ReleaseLease struct{}

// Claim notes which cluster the host belongs to, before its first change.
type Claim struct {
	Cluster Identity `json:"cluster"`
	// Node is the host's name in the cluster file; with it the host notes which machine it is.
	Node string `json:"node,omitempty"`
}

// StopPods stops and removes every Pod, container and task in containerd's k8s.io
// namespace, whether the kubelet runs or not.
type StopPods struct {
	// Only names the Pods of kube-system that are stopped, where not all are; each of their
	// containers is asked to end first, and has Grace seconds for it.
	Only  []string `json:"only,omitempty"`
	Grace int      `json:"graceSeconds,omitempty"`
}

// Unmount unmounts all that is mounted below a path.
type Unmount struct {
	Below string `json:"below"`
}

// RemoveNetwork removes links, nft tables and iptables chains by the names given.
type RemoveNetwork struct {
	Links  []string `json:"links,omitempty"`  // exact, or a prefix with a trailing *
	Tables []string `json:"tables,omitempty"` // nft tables
	// Chains are iptables chains, with the rules that jump there: exact names or, with a
	// trailing *, those that kube-proxy ends with 16 characters of a hash (A-Z, 2-7).
	Chains []string `json:"chains,omitempty"`
	// Pods are the sandboxes whose network namespaces, chains and rules go. Others' have
	// names of the same kind.
	Pods []Sandbox `json:"pods,omitempty"`
	// HostPorts removes the chains and the nft table that CNI's portmap plugin keeps for the
	// containers of every runtime, once no rule of another container is left in them.
	HostPorts bool `json:"hostPorts,omitempty"`
}

// Restore puts one setting of the record back to what it was. Value is what the record
// says, for people; the host believes its record.
type Restore struct {
	Setting string `json:"setting"`
	Value   string `json:"value,omitempty"`
}

// TidyStore removes blobs from the host's store once nothing in hand needs them.
type TidyStore struct{}

// Forget removes Slipway's store, agent and record: a reset's last action. The rest of
// what the record names must be gone; else it fails and says what is left.
type Forget struct{}

func (WriteFile) Kind() string     { return "write-file" }
func (MakeDirectory) Kind() string { return "make-directory" }
func (MakeSymlink) Kind() string   { return "make-symlink" }
func (RemovePath) Kind() string    { return "remove-path" }
func (Unpack) Kind() string        { return "unpack" }
func (SetUnit) Kind() string       { return "set-unit" }
func (StopUnits) Kind() string     { return "stop-units" }
func (LoadImage) Kind() string     { return "load-image" }
func (SetSysctl) Kind() string     { return "set-sysctl" }
func (LoadModule) Kind() string    { return "load-module" }
func (DisableSwap) Kind() string   { return "disable-swap" }
func (SetHostname) Kind() string   { return "set-hostname" }
func (AddHostsEntry) Kind() string { return "add-hosts-entry" }
func (TakeLease) Kind() string     { return "take-lease" }
func (ReleaseLease) Kind() string  { return "release-lease" }
func (Claim) Kind() string         { return "claim" }
func (StopPods) Kind() string      { return "stop-pods" }
func (Unmount) Kind() string       { return "unmount" }
func (RemoveNetwork) Kind() string { return "remove-network" }
func (Restore) Kind() string       { return "restore" }
func (TidyStore) Kind() string     { return "tidy-store" }
func (Forget) Kind() string        { return "forget" }

func (WriteFile) action()     {}
func (MakeDirectory) action() {}
func (MakeSymlink) action()   {}
func (RemovePath) action()    {}
func (Unpack) action()        {}
func (SetUnit) action()       {}
func (StopUnits) action()     {}
func (LoadImage) action()     {}
func (SetSysctl) action()     {}
func (LoadModule) action()    {}
func (DisableSwap) action()   {}
func (SetHostname) action()   {}
func (AddHostsEntry) action() {}
func (TakeLease) action()     {}
func (ReleaseLease) action()  {}
func (Claim) action()         {}
func (StopPods) action()      {}
func (Unmount) action()       {}
func (RemoveNetwork) action() {}
func (Restore) action()       {}
func (TidyStore) action()     {}
func (Forget) action()        {}
