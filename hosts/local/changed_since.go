//go:build linux

package local

import (
	"cmp"
	"fmt"

	"github.com/slipway-k8s/slipway/hosts"
)

// changedSince says why a setting is no longer Slipway's to put back; "" where it is.
func (h *Host) changedSince(record *hosts.Record, kind, name string, prior hosts.Prior) string {
	if kind == "module" {
		if path := h.asksForModule(record, name); path != "" {
			return path + " asks for the module"
		}
		return ""
	}
	have, was, err := h.nowAndBefore(kind, name, prior)
	if err != nil || prior.Set == "" || have == prior.Set || have == was {
		return ""
	}
	return fmt.Sprintf("it is %s, and Slipway set %s", have, prior.Set)
}

// nowAndBefore are what a kernel parameter, the host's name or its time zone is, and what it was before Slipway, both
// in the form of Prior.Set.
func (h *Host) nowAndBefore(kind, name string, prior hosts.Prior) (have, was string, err error) {
	switch kind {
	case "hostname": // the static one: the running one follows DHCP on some hosts
		_, was = priorNames(prior)
		_, have, err = h.hostnames()
		return cmp.Or(have, noStaticName), cmp.Or(was, noStaticName), err
	case "timezone":
		if have = h.timeZone(); have == "" && h.exists(localTime) {
			have = "no link to a time zone"
		}
		return have, zoneIn(prior.Value), nil
	}
	have, err = h.readSysctl(name)
	return have, prior.Value, err
}
