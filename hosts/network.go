package hosts

import "strings"

// Route is a row of a host's main routing table by which it reaches others.
type Route struct {
	Destination string `json:"destination"`       // in CIDR form; 0.0.0.0/0 is the default route
	Gateway     string `json:"gateway,omitempty"` // empty: the destination is reached directly
	Interface   string `json:"interface,omitempty"`
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
