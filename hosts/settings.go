package hosts

import "strings"

var _ = register(SetSysctl{}, LoadModule{}, DisableSwap{})

// SetSysctl sets a kernel parameter now; the file that keeps it is a WriteFile.
type SetSysctl struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (a SetSysctl) describe() Description {
	return Description{Kind: "set-sysctl", Deed: "set " + a.Key, Detail: " = " + a.Value}
}

// LoadModule loads a kernel module now.
type LoadModule struct {
	Name string `json:"name"`
}

func (a LoadModule) describe() Description {
	return Description{Kind: "load-module", Deed: "load module " + a.Name}
}

// DisableSwap turns all swap off, now and for the next boot.
type DisableSwap struct{}

func (DisableSwap) describe() Description {
	return Description{Kind: "disable-swap", Deed: "turn swap off"}
}

// SwapServices turn swap on at boot by themselves, without a swap unit: in compressed memory
// (zram-tools, Ubuntu's zram-config, Armbian), in files of their own (Raspberry Pi OS, swapspace).
var SwapServices = []string{
	"zramswap.service", "zram-config.service", "armbian-zram-config.service", "dphys-swapfile.service", "swapspace.service",
}

var _ = register(SetHostname{}, AddHostsEntry{})

// SetHostname sets the static and the running host name.
type SetHostname struct {
	Name string `json:"name"`
}

func (a SetHostname) describe() Description {
	return Description{Kind: "set-hostname", Deed: "set hostname " + a.Name}
}

// AddHostsEntry adds a line to /etc/hosts, marked as Slipway's.
type AddHostsEntry struct {
	Address string   `json:"address"`
	Names   []string `json:"names"`
}

func (a AddHostsEntry) describe() Description {
	return Description{
		Kind: "add-hosts-entry", Deed: "add to /etc/hosts: " + a.Address + " " + strings.Join(a.Names, " "),
	}
}

// HostsMark ends the lines of /etc/hosts that are Slipway's.
const HostsMark = "# slipway"

// HostsLine is Slipway's line of /etc/hosts for an address.
func HostsLine(address string, names []string) string {
	return address + "\t" + strings.Join(names, " ") + "\t" + HostsMark
}

// NameServers lists the name servers of a resolv.conf in its order, as resolv.conf(5) has
// them and as the kubelet reads them.
func NameServers(conf []byte) []string {
	var servers []string
	for line := range strings.Lines(string(conf)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "nameserver" {
			servers = append(servers, fields[1])
		}
	}
	return servers
}
