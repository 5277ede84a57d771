// Package lab boots hosts to try Slipway on and to test it with: real systemd and
// real sshd in namespaces of this machine or in virtual machines with a kernel of their
// own, on a network that has no way out.
//
// A lab takes nothing from the machine that it does not give back. Its network
// lies in namespaces of its own, its processes in cgroups and PID namespaces of
// their own, its files in one folder. What will be made is written down before it
// is made, so Down finds it after any crash.
//
// A program that boots labs calls Main first of all, tests included (in TestMain):
// the processes that become a host's init begin as this same program.
package lab

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// DirVariable names the environment variable that says where labs are kept.
const DirVariable = "SLIPWAY_LAB_DIR"

const defaultDir = "/var/lib/slipway-lab"

// DefaultSubnet is the network of a lab unless one is asked for. Labs are isolated
// from one another and from the machine, so all of them may have the same.
const DefaultSubnet = "10.80.0.0/24"

// ErrUnsupported is given by everything here where the system is not Linux.
var ErrUnsupported = errors.New("a lab needs Linux: its hosts are namespaces of the machine's own kernel")

// ErrNotFound is given for a lab that does not exist.
var ErrNotFound = errors.New("no such lab")

// ErrDown is given for what needs a host that runs.
var ErrDown = errors.New("the host is down")

// Counts is how many hosts of each role a lab is to have.
type Counts struct {
	ControlPlanes int
	Workers       int
	LoadBalancers int
	Spares        int // booted, but not put into the cluster file
}

// Options is what Up is asked for.
type Options struct {
	Name   string
	Dir    string       // where labs are kept; DefaultDir() unless said
	Subnet netip.Prefix // of a new lab; DefaultSubnet unless said
	// Family is of what a new lab's hosts have addresses, one of Families(); IPv4 unless said.
	Family string
	Counts Counts
	// Kind is what hosts are made of that the lab does not have yet; KindNamespace unless said.
	Kind Kind
	// Packages are the release's packages that new hosts have beside the ordinary ones; their services wait
	// until somebody starts them.
	Packages []string
	// Machine is how those are built that are virtual machines.
	Machine Machine

	// Program is the slipway binary that the cluster file's proxyCommand names; this
	// very program unless said.
	Program string
	// ClusterFile is where the cluster file goes; none is written when empty.
	ClusterFile string
	// Endpoint is the mode of the endpoint in a new cluster file, one of EndpointModes().
	// Unless said: loadBalancers where there are such hosts, vip where there are several
	// control planes.
	Endpoint string
	// BootTimeout bounds the boot of one host.
	BootTimeout time.Duration
	// Progress is told what is being done; it may be called from several goroutines.
	Progress func(Progress)
}

// Progress is one thing that Up is doing, to one host or to the lab as a whole.
type Progress struct {
	Host string // empty for the lab as a whole
	Text string
}

// State is what a lab host is doing.
type State string

// The states of a host. A host that is down was stopped or killed, or went down by itself.
const (
	StateUp   State = "up"
	StateDown State = "down"
)

// Host is one host of a lab.
type Host struct {
	Name    string     `json:"name"`
	Role    Role       `json:"role"`
	Kind    Kind       `json:"kind"`
	Address netip.Addr `json:"address"`
	State   State      `json:"state"`
	PID     int        `json:"pid,omitempty"` // of the host's init, or of its virtual machine, as the machine sees it
}

// Result is how a command on a host ended.
type Result struct {
	Stdout []byte
	Stderr []byte
	Code   int
}

// Streams are what a command on a host reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Role is what a host was made for.
type Role string

// The roles. A spare is booted and then left alone.
const (
	RoleControlPlane Role = "control-plane"
	RoleWorker       Role = "worker"
	RoleLoadBalancer Role = "load-balancer"
	RoleSpare        Role = "spare"
)

// Lab is a lab that exists on this machine.
type Lab struct {
	name string
	dir  string // the lab's own folder
}

// Name is the lab's name.
func (l *Lab) Name() string { return l.name }

// Dir is the lab's own folder.
func (l *Lab) Dir() string { return l.dir }

// IdentityFile is the private key that every host lets in as root, ops and nosudo.
func (l *Lab) IdentityFile() string { return filepath.Join(l.dir, "id_ed25519") }

// KnownHostsFile holds the hosts' own keys.
func (l *Lab) KnownHostsFile() string { return filepath.Join(l.dir, "known_hosts") }

// DefaultDir is where labs are kept: what DirVariable says, or a folder under /var/lib.
func DefaultDir() string {
	if dir := os.Getenv(DirVariable); dir != "" {
		return dir
	}
	return defaultDir
}

// validName keeps names fit for folders, cgroups, network interfaces and node names.
var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$`)

func checkName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("lab name %q: want lower-case letters, digits and dashes, 32 at most", name)
	}
	return nil
}

// find gives the lab of that name under dir without asking whether it exists.
func find(dir, name string) (*Lab, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if dir == "" {
		dir = DefaultDir()
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the labs' folder: %w", err)
	}
	return &Lab{name: name, dir: filepath.Join(absolute, name)}, nil
}

// Open gives a lab that exists. An empty dir means DefaultDir().
func Open(dir, name string) (*Lab, error) {
	if err := checkMachine(); err != nil {
		return nil, err
	}
	l, err := find(dir, name)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(l.dir); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("lab %s: %w", name, ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("open lab %s: %w", name, err)
	}
	return l, nil
}

// List gives every lab under dir, by name. An empty dir means DefaultDir().
func List(dir string) ([]*Lab, error) {
	if err := checkMachine(); err != nil {
		return nil, err
	}
	if dir == "" {
		dir = DefaultDir()
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list labs: %w", err)
	}
	var labs []*Lab
	for _, entry := range entries {
		if !entry.IsDir() || !validName.MatchString(entry.Name()) {
			continue
		}
		l, err := find(dir, entry.Name())
		if err != nil {
			return nil, err
		}
		labs = append(labs, l)
	}
	return labs, nil
}
