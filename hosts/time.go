package hosts

import "strings"

var _ = register(SetTimeZone{}, SetNTP{})

// TimeZoneSetting and NTPSetting are what the record calls the two.
const (
	TimeZoneSetting = "timezone/host"
	NTPSetting      = "ntp/host"
)

// SetTimeZone sets the host's time zone.
type SetTimeZone struct {
	Zone string `json:"zone"`
}

func (a SetTimeZone) describe() Description {
	return Description{Kind: "set-time-zone", Deed: "set the time zone " + a.Zone}
}

// SetNTP has the host's time service ask these servers, and run: chrony where that is enabled or runs, else
// systemd-timesyncd.
type SetNTP struct {
	Servers []string `json:"servers"`
}

func (a SetNTP) describe() Description {
	return Description{Kind: "set-ntp", Deed: "set the time servers " + strings.Join(a.Servers, ", ")}
}

// TimeSettings are how a host has its time.
type TimeSettings struct {
	Zone string `json:"zone,omitempty"`
	// Service is the unit that keeps the clock right, or could; empty where the host has none that is known.
	Service string `json:"service,omitempty"`
	Active  bool   `json:"active,omitempty"` // it runs, and will after a boot
	// Fixed tells that nothing on the host may set its clock: that is its machine's, as a container's.
	Fixed bool `json:"fixed,omitempty"`
	// Servers are those that Slipway has set.
	Servers []string `json:"servers,omitempty"`
	// Unread tells that chrony reads no folder of its own into which servers could be put.
	Unread bool `json:"unread,omitempty"`
}
