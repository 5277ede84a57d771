package hosttest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// noted gives the record, and makes it where there is none.
func (f *Fake) noted() *hosts.Record {
	if f.record == nil {
		f.record = &hosts.Record{Version: 1}
	}
	return f.record
}

// restore puts one setting back and takes it out of the record.
func (f *Fake) restore(a hosts.Restore) (string, error) {
	prior, known := f.record.PriorOf(a.Setting)
	if !known {
		return "", nil
	}
	kind, name, _ := strings.Cut(prior.Setting, "/")
	switch kind {
	case "sysctl":
		f.restoreSysctl(name, prior)
	case "swap":
		f.base.Swaps = append(f.base.Swaps, name)
	case "hostname":
		running, static, differ := strings.Cut(prior.Value, " ")
		if !differ {
			static = running
		}
		f.base.Hostname, f.base.StaticHostname = running, strings.TrimPrefix(static, noStaticName)
	case "hosts":
		for host, addresses := range f.names {
			f.names[host] = slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return a == name })
			if len(f.names[host]) == 0 {
				delete(f.names, host)
			}
		}
	case "module":
		delete(f.modules, name)
	case "selinux":
		f.base.SELinuxPolicy.Module = ""
	case "timezone":
		f.base.TimeSettings.Zone = prior.Value // which is a link's target on a machine
	case "ntp":
		f.base.TimeSettings.Servers, f.base.TimeSettings.Active = nil, prior.Value == "true"
	case "firewall":
		f.base.FirewallState.Opened, f.base.FirewallState.Missing = nil, nil
	case "unit":
		if u := f.units[name]; u != nil {
			u.enabled = strings.HasPrefix(prior.Value, "enabled")
			u.active = strings.HasSuffix(prior.Value, " active")
			u.inputs = ""
		}
	case "file":
		f.makeParents(name)
		f.files[name] = f.backups[name]
		delete(f.backups, name)
		f.record.Disown(name, false)
	default:
		return "", fmt.Errorf("the record names no setting of kind %q", kind)
	}
	f.record.ForgetPrior(a.Setting)
	return "back to " + prior.Value, nil
}

// restoreSysctl leaves alone what somebody else has set since.
func (f *Fake) restoreSysctl(name string, prior hosts.Prior) {
	switch {
	case prior.Set != "" && f.sysctls[name] != prior.Set:
	case prior.Absent:
		delete(f.sysctls, name)
	default:
		f.sysctls[name] = prior.Value
	}
}

// forget ends what Slipway knows of the machine, if the machine has nothing of it left.
func (f *Fake) forget() (string, error) {
	if f.record == nil && len(f.store) == 0 {
		return "", nil
	}
	if left := f.left(); len(left) > 0 {
		return "", fmt.Errorf("still there: %s", strings.Join(left, ", "))
	}
	f.record = nil
	clear(f.store)
	f.removeBelow(keptVersions)
	return "forgotten", nil
}

// left lists what the record names and the machine still has.
func (f *Fake) left() []string {
	var left []string
	if f.record == nil {
		return nil
	}
	for _, owned := range f.record.Paths {
		// A directory that still holds something is no longer only Slipway's.
		n := f.files[owned.Path]
		if n != nil && owned.Type == hosts.TypeSymlink && n.Type != hosts.TypeSymlink {
			continue // somebody put a thing of their own in its place
		}
		if n != nil && len(f.below(owned.Path)) == 0 {
			left = append(left, owned.Path)
		}
	}
	for _, name := range f.record.Units {
		if u := f.units[name]; u != nil && (u.active || u.enabled) {
			left = append(left, "unit "+name)
		}
	}
	for _, reference := range f.record.Images {
		if f.images[reference] != "" {
			left = append(left, "image "+reference)
		}
	}
	for _, prior := range f.record.Priors {
		left = append(left, "setting "+prior.Setting)
	}
	return left
}
