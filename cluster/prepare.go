package cluster

import (
	"regexp"
	"slices"
	"strings"
)

// Prepare is what of the hosts' own settings the cluster has set, beside what it cannot do without.
type Prepare struct {
	// HostsFile has each host find the others by their names: by lines in /etc/hosts, where no name service
	// leads there.
	HostsFile bool `json:"hostsFile,omitempty"`
	// TimeZone is the hosts' time zone, such as Europe/Berlin; they keep their own unless said.
	TimeZone string `json:"timeZone,omitempty"`
	NTP      NTP    `json:"ntp,omitzero"`
}

// NTP is how hosts keep their clocks right; as they do already, unless said.
type NTP struct {
	// Servers are asked for the time: names or addresses.
	Servers []string `json:"servers,omitempty"`
}

// timeZoneForm is that of the names in /usr/share/zoneinfo.
var timeZoneForm = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$`)

func (k *checker) prepare(p Prepare) {
	if p.TimeZone != "" && !timeZoneForm.MatchString(p.TimeZone) {
		k.wrong("prepare.timeZone", "write one of those that timedatectl list-timezones has, like Europe/Berlin", "%q is not a time zone", p.TimeZone)
	}
	for i, server := range p.NTP.Servers {
		if !isAddress(server) && !isName(server) {
			k.wrong(index("prepare.ntp.servers", i), "write a name or an address, like ntp.example.com", "%q is not a server", server)
		}
	}
}

// KeepsSwap tells whether the hosts' swap stays on: the kubelet is told to run beside it.
func (c *Cluster) KeepsSwap() bool {
	if fail, said := c.Kubelet["failSwapOn"].(bool); said && !fail {
		return true
	}
	at := slices.IndexFunc(c.ExtraArgs.Kubelet, func(arg Arg) bool { return arg.Name == "fail-swap-on" })
	return at >= 0 && strings.EqualFold(c.ExtraArgs.Kubelet[at].Value, "false")
}

// swapUse refuses a use of swap that is turned off.
func (k *checker) swapUse(c *Cluster) {
	swap, _ := c.Kubelet["memorySwap"].(map[string]any)
	if swap["swapBehavior"] == "LimitedSwap" && !c.KeepsSwap() {
		k.wrong(KubeletKind+".memorySwap.swapBehavior", "say failSwapOn: false as well, or leave memorySwap out",
			"LimitedSwap needs swap, which is turned off unless failSwapOn is false")
	}
}
