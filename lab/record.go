package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// record is what a lab knows of itself, kept in its folder as lab.json. It is
// written before what it names is made.
type record struct {
	Name   string       `json:"name"`
	Subnet netip.Prefix `json:"subnet"`
	// Second is the network of the other family, where hosts have addresses of both.
	Second netip.Prefix `json:"second,omitzero"`
	// Virtual is an address of the subnet that no host is given: for the endpoint.
	Virtual netip.Addr `json:"virtual,omitzero"`
	Image   string     `json:"image,omitempty"` // the root that new hosts are laid over
	// BootID is the machine's boot in which the processes and namespaces below were
	// made: after another boot none of them exists.
	BootID  string        `json:"bootID,omitempty"`
	Network uint64        `json:"network,omitempty"` // inode of the network namespace that holds the bridge
	Hosts   []*hostRecord `json:"hosts"`
}

// hostRecord is one host in the record.
type hostRecord struct {
	Name    string     `json:"name"`
	Role    Role       `json:"role"`
	Kind    Kind       `json:"kind"`
	Machine *Machine   `json:"machine,omitempty"` // of a virtual machine
	Address netip.Addr `json:"address"`
	Second  netip.Addr `json:"second,omitzero"`  // of the other family
	Image   string     `json:"image,omitempty"`  // the root that its disk is made from
	Seeded  bool       `json:"seeded,omitempty"` // its disk has been given names and keys
	Off     bool       `json:"off,omitempty"`    // stopped or killed on purpose: Up leaves it so
	PID     int        `json:"pid,omitempty"`
	Started uint64     `json:"started,omitempty"` // the process's start time, so that a reused PID is not taken for it
}

// namings gives the hosts of each role their names and where their addresses begin in the subnet.
var namings = []struct {
	role   Role
	prefix string
	base   int
	count  func(Counts) int
}{
	{RoleControlPlane, "cp", 10, func(c Counts) int { return c.ControlPlanes }},
	{RoleWorker, "worker", 20, func(c Counts) int { return c.Workers }},
	{RoleLoadBalancer, "lb", 200, func(c Counts) int { return c.LoadBalancers }},
	{RoleSpare, "spare", 220, func(c Counts) int { return c.Spares }},
}

// virtualBase is where the address for the endpoint is in the subnet.
const virtualBase = 100

// grow adds the hosts that are missing to reach the counts, made as the options say. It never
// takes one away, and leaves those that there are as they are.
func (r *record) grow(o Options) error {
	if !r.Virtual.IsValid() {
		free, err := r.freeAddress(virtualBase)
		if err != nil {
			return err
		}
		r.Virtual = free
	}
	for _, naming := range namings {
		for i := 1; i <= naming.count(o.Counts); i++ {
			name := naming.prefix + "-" + strconv.Itoa(i)
			if r.host(name) != nil {
				continue
			}
			address, err := r.freeAddress(naming.base + i)
			if err != nil {
				return err
			}
			r.Hosts = append(r.Hosts, o.newHost(name, naming.role, address, r.secondAddress(address)))
		}
	}
	return nil
}

// newHost is a host as the options say.
func (o Options) newHost(name string, role Role, address, second netip.Addr) *hostRecord {
	h := &hostRecord{Name: name, Role: role, Kind: KindNamespace, Address: address, Second: second}
	if o.Kind == KindVM {
		machine := o.Machine.withDefaults()
		h.Kind, h.Machine = KindVM, &machine
	}
	return h
}

// bridgeAddress is the subnet's first address: the hosts' default route, which leads nowhere.
func (r *record) bridgeAddress() netip.Addr { return gatewayOf(r.Subnet) }

// freeAddress is the wanted address of the subnet, or the next one that nobody has.
func (r *record) freeAddress(wanted int) (netip.Addr, error) {
	bits := r.Subnet.Addr().BitLen() - r.Subnet.Bits()
	last := 1<<min(bits, 16) - 2 // the one before the broadcast address
	taken := func(a netip.Addr) bool {
		return a == r.Virtual || slices.ContainsFunc(r.Hosts, func(h *hostRecord) bool { return h.Address == a })
	}
	for _, from := range []int{wanted, 2} {
		for n := from; n <= last; n++ {
			if a := nth(r.Subnet, n); !taken(a) {
				return a, nil
			}
		}
	}
	return netip.Addr{}, fmt.Errorf("subnet %s has no address left", r.Subnet)
}

func (r *record) host(name string) *hostRecord {
	for _, h := range r.Hosts {
		if h.Name == name {
			return h
		}
	}
	return nil
}

func (l *Lab) recordFile() string { return filepath.Join(l.dir, "lab.json") }

// load reads the record; ErrNotFound where there is none yet.
func (l *Lab) load() (*record, error) {
	data, err := os.ReadFile(l.recordFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("lab %s: %w", l.name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of lab %s: %w", l.name, err)
	}
	r := new(record)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read the record of lab %s: %w", l.name, err)
	}
	return r, nil
}

// save writes the record, synced, in one piece.
func (l *Lab) save(r *record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the record of lab %s: %w", l.name, err)
	}
	if err := writeFile(l.recordFile(), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the record of lab %s: %w", l.name, err)
	}
	return nil
}

// writeFile writes to a temporary name beside the file, syncs and renames.
func writeFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
