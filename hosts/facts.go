package hosts

import (
	"fmt"
	"strings"
	"time"
)

// Facts is what one observation saw of a host.
type Facts struct {
	Hostname  string `json:"hostname"` // the running name
	MachineID string `json:"machineID"`
	// SystemUUID is what the firmware calls the machine, as the kubelet reports it too; empty
	// where there is no such thing.
	SystemUUID string    `json:"systemUUID,omitempty"`
	BootID     string    `json:"bootID"`
	OS         OS        `json:"os"`
	Arch       string    `json:"arch"` // as Go names it
	Kernel     string    `json:"kernel"`
	CPUs       int       `json:"cpus"`
	Memory     int64     `json:"memory"` // bytes
	Time       time.Time `json:"time"`
	User       string    `json:"user"` // who the agent runs as: root
	Cgroup     Cgroup    `json:"cgroup"`
	Systemd    Systemd   `json:"systemd"`
	Interfaces []Link    `json:"interfaces"`
	Swaps      []string  `json:"swaps,omitempty"`     // devices and files in use
	SwapUnits  []string  `json:"swapUnits,omitempty"` // units and fstab lines that would bring swap back
	// StaticHostname is the name in /etc/hostname, which the next boot takes; empty where
	// there is none.
	StaticHostname string `json:"staticHostname,omitempty"`
	// CanRaiseOOMScore tells whether a process may lower its OOM score (CAP_SYS_RESOURCE).
	CanRaiseOOMScore bool `json:"canRaiseOOMScore"`
	// ConntrackWritable tells whether net.netfilter.nf_conntrack_max can be written.
	ConntrackWritable bool `json:"conntrackWritable"`
	// NFTables and IPTables tell which packet filters the kernel carries.
	NFTables bool `json:"nftables"`
	IPTables bool `json:"iptables"`
	// OverlayFS tells whether containerd's root can be used by the overlay snapshotter.
	OverlayFS bool   `json:"overlayFS"`
	Disks     []Disk `json:"disks"` // the file systems that Slipway writes to
	// Resolver is the resolv.conf that Pods should inherit: systemd-resolved's real one where
	// that runs. Empty: the host has none.
	Resolver string `json:"resolver"`
	// NameServers are Resolver's, in its order, and SearchDomains its search domains.
	NameServers   []string `json:"nameServers,omitempty"`
	SearchDomains []string `json:"searchDomains,omitempty"`
	// Routes are those that have addresses in common with a subnet asked for, of all tables that rules lead to.
	Routes   []Route `json:"routes,omitempty"`
	SELinux  string  `json:"selinux,omitempty"`  // enforcing, permissive, or empty
	Firewall string  `json:"firewall,omitempty"` // firewalld, ufw, or empty
	// TimeSettings are the time zone, and who keeps the clock right.
	TimeSettings TimeSettings `json:"timeSettings,omitzero"`
	// SELinuxPolicy is what that has loaded.
	SELinuxPolicy SELinuxPolicy `json:"selinuxPolicy,omitzero"`
	// FirewallState is what that one has, or the one of the next boot.
	FirewallState FirewallState `json:"firewallState,omitzero"`
	// Filters are chains that drop what comes in or through, where others have made them by hand.
	Filters []Filter `json:"filters,omitempty"`

	// Boot is what the next boot makes of the kernel parameters and modules asked for, and of
	// /etc/hosts.
	Boot Boot `json:"boot,omitzero"`

	Files        map[string]File        `json:"files,omitempty"` // only what exists
	Contents     map[string][]byte      `json:"contents,omitempty"`
	Certificates map[string]Certificate `json:"certificates,omitempty"` // by the certificate's path
	Kubeconfigs  map[string]Kubeconfig  `json:"kubeconfigs,omitempty"`
	Units        map[string]Unit        `json:"units,omitempty"`
	Sysctls      map[string]string      `json:"sysctls,omitempty"`
	Modules      map[string]bool        `json:"modules,omitempty"` // true: loaded or built in
	Images       map[string]string      `json:"images,omitempty"`  // reference → digest of the manifest
	Names        map[string][]string    `json:"names,omitempty"`   // name → addresses; absent: does not resolve
	// Unresolved are names asked for that may or may not exist, and why that is not known: no
	// name server answered, or the one that did failed.
	Unresolved map[string]string `json:"unresolved,omitempty"`
	Listeners  map[int]string    `json:"listeners,omitempty"`
	// Reach tells, by the address asked for, why the host could not connect; empty: it could.
	Reach map[string]string `json:"reach,omitempty"`
	// RouteTo is the interface by which a packet to an address asked for would leave; an address
	// that no route leads to is absent. nil: it was not looked up.
	RouteTo map[string]string `json:"routeTo,omitzero"`
	// Sync is how long 99 of 100 writes to the disk asked for took to be durable; 0: not measured.
	Sync time.Duration `json:"sync,omitempty"`
	// VirtualIP is what the network shows of the virtual address; nil where that was not asked.
	VirtualIP *VirtualIP `json:"virtualIP,omitempty"`
	// Conditions are what only checks look at; nil where they were not asked for.
	Conditions *Conditions `json:"conditions,omitempty"`
	// Traffic is what passed between it and others; nil where that was not asked.
	Traffic *Traffic `json:"traffic,omitempty"`
	Links   []string `json:"links,omitempty"`
	Tables  []string `json:"tables,omitempty"`
	Chains  []string `json:"chains,omitempty"`
	// Sandboxes are those of containerd's k8s.io namespace, ended ones too, by their ids.
	Sandboxes []Sandbox `json:"sandboxes,omitempty"`

	// Foreign lists what is installed or running that Slipway did not put there and
	// that would be in its way: a containerd, Docker, kubelet, or another cluster's files.
	Foreign []Foreign `json:"foreign,omitempty"`
	// Record is what Slipway noted of its own changes; nil on a host it never changed.
	Record *Record `json:"record,omitempty"`
	// Kept are the versions that the host can go back to, the oldest first.
	Kept []Kept `json:"kept,omitempty"`
	// KeptBroken are those that it cannot go back to, by their Before, and why: they are not whole.
	KeptBroken map[string]string `json:"keptBroken,omitempty"`
	// Lease is who holds the host now; nil where nobody does.
	Lease *LeaseHolder `json:"lease,omitempty"`
	// Unanswered lists what got no answer. All facts of its kind are missing then, which says
	// nothing about the machine: no plan may rely on them.
	Unanswered []Unanswered `json:"unanswered,omitempty"`
	Evidence   []Evidence   `json:"evidence,omitempty"`
	// Signs tell, beside Evidence, what moves.
	Signs []Sign `json:"signs,omitempty"`
}

// The values of Unanswered.What that callers compare with.
const (
	LookContents   = "contents"
	LookCgroups    = "control groups"
	LookKernel     = "kernel"
	LookDisks      = "disks"
	LookSwap       = "swap"
	LookForeign    = "software that is not Slipway's"
	LookSysctls    = "kernel parameters"
	LookModules    = "kernel modules"
	LookBoot       = "what the next boot does"
	LookImages     = "images"
	LookNames      = "names"
	LookPorts      = "ports"
	LookLinks      = "links"
	LookTables     = "nft tables"
	LookChains     = "iptables chains"
	LookReach      = "addresses to reach"
	LookRoutes     = "routes into subnets"
	LookRouteTo    = "routes to addresses"
	LookSync       = "how fast the disk syncs"
	LookSandboxes  = "Pods' sandboxes"
	LookVirtualIP  = "virtual address"
	LookKept       = "kept versions"
	LookFirewall   = "firewall"
	LookPolicy     = "SELinux policy"
	LookConditions = "what only checks look at"
	LookTime       = "time settings"
)

// Unanswered is a question that got no answer in time: the server of a file system is away, a
// daemon was stopped.
type Unanswered struct {
	What    string  `json:"what"`         // what was looked at: files, LookDisks, LookImages, …
	At      string  `json:"at,omitempty"` // what it was looking at: a path, for example
	Seconds float64 `json:"seconds"`      // for how long
}

func (u Unanswered) String() string {
	at := ""
	if u.At != "" {
		at = " at " + u.At
	}
	return fmt.Sprintf("%s: no answer%s in %.0f s", u.What, at, u.Seconds)
}

// OS is what /etc/os-release says. For people; nothing is decided by it.
type OS struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Pretty  string `json:"pretty"`
}

// Cgroup is the host's control groups.
type Cgroup struct {
	// Version is 2 on a unified hierarchy that has controllers, else 1.
	Version     int      `json:"version"`
	Controllers []string `json:"controllers"`
}

// Systemd is the host's init.
type Systemd struct {
	Version int    `json:"version"` // 0: the host was not booted by systemd
	State   string `json:"state"`   // running, degraded, starting, …
}

// Disk is a file system below one of the paths that Slipway writes to.
type Disk struct {
	Path string `json:"path"`
	Free int64  `json:"free"` // bytes that root may write
	Size int64  `json:"size"`
	// Device is what it is mounted from (/dev/sda1); empty where that is none: an overlay, a tmpfs, a share.
	Device string `json:"device,omitempty"`
	// Inodes is how many files it can have, and InodesFree how many more; 0: as many as there is room for.
	Inodes     int64 `json:"inodes,omitempty"`
	InodesFree int64 `json:"inodesFree,omitempty"`
}

// Shares tells whether two paths lie on one file system, and so share its room: by their devices where both have one,
// else by their figures, of which what is free changes between two looks.
func (d Disk) Shares(other Disk) bool {
	if d.Size != other.Size { // of one device too, where a part of it has a quota
		return false
	}
	if d.Device != "" && other.Device != "" {
		return d.Device == other.Device
	}
	return max(d.Free, other.Free)-min(d.Free, other.Free) <= d.Size/1000
}

// FileType is what lies at a path.
type FileType string

// The types of file.
const (
	TypeFile      FileType = "file"
	TypeDirectory FileType = "directory"
	TypeSymlink   FileType = "symlink"
	TypeOther     FileType = "other"
)

// File is one path on a host.
type File struct {
	Type   FileType `json:"type"`
	Mode   uint32   `json:"mode"` // permission bits, with setuid, setgid and sticky
	UID    int      `json:"uid"`
	GID    int      `json:"gid"`
	Size   int64    `json:"size,omitempty"`
	Digest string   `json:"digest,omitempty"` // sha256:<hex>, of a regular file
	Target string   `json:"target,omitempty"` // of a symbolic link, or of one that a tree's directory is reached by
}

// Unit is a systemd unit's state.
type Unit struct {
	Load    string `json:"load"`    // loaded, not-found, masked
	Active  string `json:"active"`  // active, inactive, failed, activating
	Enabled string `json:"enabled"` // enabled, disabled, static, or empty
	// Inputs is the digest that Slipway last started or reloaded it with, in this boot.
	Inputs string `json:"inputs,omitempty"`
	// Restarts counts since boot how often systemd restarted it by itself.
	Restarts int `json:"restarts,omitempty"`
}

// Foreign is something on the host that is not Slipway's.
type Foreign struct {
	What   string `json:"what"`   // containerd, docker, kubelet, cluster, …
	Detail string `json:"detail"` // the unit, binary or file that showed it
	Fix    string `json:"fix"`    // what to type
}

// Clean is the facts with their texts for people cleaned (evidence, what is foreign). What is
// compared stays as it is, and is cleaned where it is shown.
func (f Facts) Clean() Facts {
	f.OS.Pretty = CleanLine(f.OS.Pretty)
	for i, e := range f.Evidence {
		f.Evidence[i] = e.Clean()
	}
	for i, one := range f.Signs {
		f.Signs[i] = one.Clean()
	}
	f.Conditions.clean()
	f.Traffic.clean()
	for i := range f.FirewallState.Rules {
		f.FirewallState.Rules[i].Text = CleanLine(f.FirewallState.Rules[i].Text)
	}
	for i, one := range f.Foreign {
		f.Foreign[i] = Foreign{What: CleanLine(one.What), Detail: CleanLine(one.Detail), Fix: CleanLine(one.Fix)}
	}
	return f
}

// Evidence is one thing seen on a host that may explain a failure.
type Evidence struct {
	// Source is a unit (kubelet.service), a container (container kube-system/etcd-cp-1/etcd),
	// port 6443 (kube-apiserver), or one of those below.
	Source string   `json:"source"`
	Lines  []string `json:"lines"` // the oldest first
}

// The sources that are no unit, container or port. Of who was asked in vain, the line says that
// there was no answer.
const (
	SourceHost       = "the host"
	SourceSystemd    = "systemd"
	SourceContainerd = "containerd"
	SourceFileSystem = "a file system"
	SourceDisk       = "disk"
	SourceClock      = "clock"
)

// Clean is the evidence as Clean leaves its text, with a line's indentation: programs
// continue a line by it.
func (e Evidence) Clean() Evidence {
	lines := make([]string, len(e.Lines))
	for i, line := range e.Lines {
		lines[i] = strings.ReplaceAll(Clean(line), "\n", " ")
	}
	return Evidence{Source: CleanLine(e.Source), Lines: lines}
}
