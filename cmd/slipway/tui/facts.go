package tui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
)

// factLines are a host's facts, a line each.
func (s *shared) factLines(f hosts.Facts, columns int) []string {
	var lines []string
	say := func(label *text.Text, said string) {
		if said != "" {
			lines = append(lines, wrapAll([]string{said}, columns, s.theme.fit(s.say(label), 18), strings.Repeat(" ", 18))...)
		}
	}
	say(text.FactSystem, clean(f.OS.Pretty)+", "+clean(f.Arch))
	say(text.FactKernel, clean(f.Kernel))
	say(text.FactCgroups, fmt.Sprintf("v%d, systemd %d (%s)", f.Cgroup.Version, f.Systemd.Version, clean(f.Systemd.State)))
	say(text.FactCPUs, strconv.Itoa(f.CPUs))
	say(text.FactMemory, hosts.Size(f.Memory))
	for _, line := range s.diskLines(f.Disks) {
		say(text.FactDisks, line)
	}
	var addresses []string
	for _, link := range f.Interfaces {
		for _, address := range link.Addresses {
			addresses = append(addresses, clean(link.Name+" "+address))
		}
	}
	say(text.FactAddresses, strings.Join(addresses, ", "))
	say(text.FactUser, clean(f.User))
	for _, foreign := range f.Foreign {
		say(text.FactForeign, clean(foreign.What+": "+foreign.Detail))
	}
	return lines
}

// machine is what a host is, in a line.
func (s *shared) machine(f hosts.Facts) string {
	var free int64
	for _, disk := range f.Disks {
		free = max(free, disk.Free)
	}
	return s.say(text.HostMachine, f.CPUs, hosts.Size(f.Memory), hosts.Size(free), clean(f.OS.Pretty), f.Cgroup.Version, clean(f.Kernel))
}

// diskLines are the file systems, those that have the same room together: they are most likely one.
func (s *shared) diskLines(disks []hosts.Disk) []string {
	var lines []string
	for i, disk := range disks {
		same := func(other hosts.Disk) bool { return other.Free == disk.Free && other.Size == disk.Size }
		if slices.ContainsFunc(disks[:i], same) {
			continue
		}
		var paths []string
		for _, other := range disks {
			if same(other) {
				paths = append(paths, clean(other.Path))
			}
		}
		lines = append(lines, s.say(text.FactDisk, strings.Join(paths, ", "), hosts.Size(disk.Free), hosts.Size(disk.Size)))
	}
	return lines
}
