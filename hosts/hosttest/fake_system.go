package hosttest

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	containerdRoot = "/var/lib/containerd"
	containerdUnit = "containerd.service"
)

// noStaticName is what the record says in place of a static name that was not there.
const noStaticName = "(no static name)"

// unit is a systemd unit of a Fake. One whose file is on the machine needs no entry.
type unit struct {
	preset  bool // came with the machine
	enabled bool
	active  bool
	inputs  string
}

// PutUnit puts a unit on the machine that Slipway knows nothing of.
func (f *Fake) PutUnit(name string, enabled, active bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.units[name] = &unit{preset: true, enabled: enabled, active: active}
}

func (f *Fake) unitFile(name string) bool {
	return f.files["/etc/systemd/system/"+name] != nil || f.files["/usr/lib/systemd/system/"+name] != nil
}

func (f *Fake) setUnit(a hosts.SetUnit) (string, error) {
	u := f.units[a.Name]
	exists := f.unitFile(a.Name) || u != nil && u.preset
	switch {
	case !exists && (a.Enabled || a.Active):
		return "", errors.New("the host has no such unit")
	case u == nil && !exists:
		return "", nil
	case u == nil:
		u = &unit{}
	}
	inputs := u.inputs
	if a.Inputs != "" {
		inputs = a.Inputs
	}
	if !a.Active && !a.Enabled {
		inputs = ""
	}
	want := unit{preset: u.preset, enabled: a.Enabled, active: a.Active, inputs: inputs}
	if *u == want && !(a.Active && a.Restart) {
		return "", nil
	}
	record := f.noted()
	if u.preset {
		f.noted().Remember(hosts.Prior{Setting: "unit/" + a.Name, Value: u.state()})
	} else if !slices.Contains(record.Units, a.Name) {
		record.Units = append(record.Units, a.Name)
	}
	detail := fmt.Sprintf("was %s", u.state())
	f.units[a.Name] = &want
	return detail, nil
}

func (f *Fake) stopUnits(a hosts.StopUnits) (string, error) {
	var details []string
	for _, name := range a.Names {
		detail, err := f.setUnit(hosts.SetUnit{Name: name, Enabled: a.Enabled})
		if err != nil {
			return "", err
		}
		if detail != "" {
			details = append(details, detail)
		}
	}
	return strings.Join(details, ", "), nil
}

// state says a unit's state as the record does.
func (u *unit) state() string {
	enabled, active := "disabled", "inactive"
	if u.enabled {
		enabled = "enabled"
	}
	if u.active {
		active = "active"
	}
	return enabled + " " + active
}

func (f *Fake) loadImage(a hosts.LoadImage) (string, error) {
	if f.images[a.Reference] == a.Manifest.Digest {
		if a.Bundled || !f.record.IsBundled(a.Reference, a.Manifest.Digest) {
			return "", nil
		}
		f.record.Loaded(a)
		return "stays when the bundle no longer has it", nil
	}
	if u := f.units[containerdUnit]; u == nil || !u.active {
		return "", errors.New("containerd does not answer")
	}
	for _, blob := range append([]hosts.ImageBlob{a.Manifest}, a.Blobs...) {
		if _, ok := f.store[blob.Digest]; !ok {
			return "", fmt.Errorf("blob %s is not in the host's store: it must be uploaded first", blob.Digest)
		}
	}
	f.noted().Loaded(a)
	if f.files[containerdRoot] == nil {
		f.makeParents(containerdRoot + "/x")
	}
	f.images[a.Reference] = a.Manifest.Digest
	delete(f.unpinned, a.Reference)
	return "loaded", nil
}

func (f *Fake) nameImage(a hosts.NameImage) (string, error) {
	beside, err := hosts.DigestName(a.Name, a.Digest)
	if err != nil {
		return "", err
	}
	was := f.images[a.Name]
	switch {
	case was == a.Digest && f.images[beside] == "" && f.record.IsBundled(a.Name, a.Digest):
		return "", nil
	case was != a.Digest && f.images[beside] != a.Digest:
		return "", fmt.Errorf("it is not on the host by its digest (%s)", beside)
	}
	bundled := f.record.IsBundled(a.Name, was)
	if was != "" && was != a.Digest {
		old, err := hosts.DigestName(a.Name, was)
		if err != nil {
			return "", err
		}
		f.noted().Loaded(hosts.LoadImage{Reference: old, Manifest: hosts.ImageBlob{Digest: was}, Bundled: bundled})
		f.images[old] = was
	}
	f.noted().Loaded(hosts.LoadImage{Reference: a.Name, Manifest: hosts.ImageBlob{Digest: a.Digest}, Bundled: true})
	f.images[a.Name] = a.Digest
	f.record.ForgetImage(beside)
	delete(f.images, beside)
	return "was " + was, nil
}

func (f *Fake) unloadImage(a hosts.UnloadImage) (string, error) {
	if f.record == nil || f.record.Bundled[a.Name] != a.Digest || f.images[a.Name] != a.Digest {
		return "", nil
	}
	f.record.ForgetImage(a.Name)
	delete(f.images, a.Name)
	if f.used[a.Name] {
		f.unpinned[a.Name] = a.Digest
		return hosts.Unpinned, nil
	}
	return "removed", nil
}

func (f *Fake) setSysctl(a hosts.SetSysctl) (string, error) {
	old, known := f.sysctls[a.Key]
	if known && old == a.Value {
		return "", nil
	}
	f.noted().Remember(hosts.Prior{Setting: "sysctl/" + a.Key, Value: old, Absent: !known, Set: a.Value})
	f.sysctls[a.Key] = a.Value
	return "was " + old, nil
}

func (f *Fake) loadModule(a hosts.LoadModule) (string, error) {
	if f.modules[a.Name] {
		return "", nil
	}
	f.noted().Remember(hosts.Prior{Setting: "module/" + a.Name, Absent: true})
	f.modules[a.Name] = true
	return "loaded", nil
}

func (f *Fake) disableSwap() (string, error) {
	if len(f.base.Swaps) == 0 && len(f.base.SwapUnits) == 0 {
		return "", nil
	}
	for _, device := range f.base.Swaps {
		f.noted().Remember(hosts.Prior{Setting: "swap/" + device, Value: device})
	}
	off := strings.Join(append(slices.Clone(f.base.Swaps), f.base.SwapUnits...), ", ")
	f.base.Swaps, f.base.SwapUnits = nil, nil
	return "turned off " + off, nil
}

func (f *Fake) loadPolicyModule(a hosts.LoadPolicyModule) (string, error) {
	if f.base.SELinuxPolicy.Module == a.Content {
		return "", nil
	}
	if _, there := f.store[a.Content]; !there {
		return "", fmt.Errorf("blob %s is not in the host's store: it must be uploaded first", a.Content)
	}
	f.noted().Remember(hosts.Prior{Setting: hosts.PolicySetting, Absent: true, Set: a.Content})
	f.base.SELinuxPolicy.Module = a.Content
	return "loaded", nil
}

func (f *Fake) openFirewall(a hosts.OpenFirewall) (string, error) {
	state := &f.base.FirewallState
	if state.Opened != nil && reflect.DeepEqual(*state.Opened, a) && len(state.Missing) == 0 {
		return "", nil
	}
	f.noted().Remember(hosts.Prior{Setting: hosts.FirewallSetting(a.Kind), Absent: true, Set: "opened"})
	state.Opened, state.Missing = &a, nil
	return "opened", nil
}

func (f *Fake) setTimeZone(a hosts.SetTimeZone) (string, error) {
	was := f.base.TimeSettings.Zone
	if was == a.Zone {
		return "", nil
	}
	f.noted().Remember(hosts.Prior{Setting: hosts.TimeZoneSetting, Value: was})
	f.base.TimeSettings.Zone = a.Zone
	return "was " + was, nil
}

func (f *Fake) setNTP(a hosts.SetNTP) (string, error) {
	time := &f.base.TimeSettings
	if slices.Equal(time.Servers, a.Servers) && time.Active {
		return "", nil
	}
	f.noted().Remember(hosts.Prior{Setting: hosts.NTPSetting, Value: fmt.Sprint(time.Active)})
	time.Servers, time.Active = a.Servers, true
	return "set", nil
}

func (f *Fake) setHostname(a hosts.SetHostname) (string, error) {
	if f.base.Hostname == a.Name && f.base.StaticHostname == a.Name {
		return "", nil
	}
	was := f.base.Hostname
	if static := f.base.StaticHostname; static != was {
		was += " " + cmp.Or(static, noStaticName)
	}
	f.noted().Remember(hosts.Prior{Setting: "hostname", Value: was})
	f.base.Hostname, f.base.StaticHostname = a.Name, a.Name
	return "was " + was, nil
}

func (f *Fake) addHostsEntry(a hosts.AddHostsEntry) (string, error) {
	changed := false
	for _, name := range a.Names {
		if !slices.Contains(f.names[name], a.Address) {
			f.names[name] = append(slices.Clone(f.names[name]), a.Address)
			changed = true
		}
	}
	if !changed {
		return "", nil
	}
	f.noted().Remember(hosts.Prior{Setting: "hosts/" + a.Address, Absent: true})
	return "added", nil
}

func (o *opened) takeLease(a hosts.TakeLease) (string, error) {
	f := o.machine
	if f.holder == o {
		return "", nil
	}
	now := f.now().UTC().Format(time.RFC3339)
	f.holder = o
	f.lease = hosts.LeaseHolder{Holder: a.Holder, Since: now, Heard: now}
	return "held by " + a.Holder, nil
}

func (o *opened) releaseLease() (string, error) {
	if o.machine.holder != o {
		return "", nil
	}
	o.machine.holder, o.machine.lease = nil, hosts.LeaseHolder{}
	return "given back", nil
}

func (f *Fake) claim(a hosts.Claim) (string, error) {
	have := hosts.Record{}
	if f.record != nil {
		have = *f.record
	}
	if have.Cluster.ID != "" && have.Cluster.ID != a.Cluster.ID {
		return "", &hosts.Error{
			Kind: hosts.KindForeign,
			Err:  fmt.Errorf("the host belongs to cluster %s (%s)", have.Cluster.Name, have.Cluster.ID),
			Fix:  "reset it with that cluster's file first",
		}
	}
	if have.Machine != nil && a.Node != "" && have.Machine.Node != a.Node {
		return "", &hosts.Error{Kind: hosts.KindForeign, Err: fmt.Errorf("the host is the node %s", have.Machine.Node)}
	}
	if have.Cluster == a.Cluster && (a.Node == "" || have.Machine != nil) {
		return "", nil
	}
	record := f.noted()
	record.Cluster = a.Cluster
	if record.Machine == nil && a.Node != "" {
		record.Machine = &hosts.Machine{Node: a.Node, Hostname: f.base.Hostname, MachineID: f.base.MachineID}
	}
	return "claimed for " + a.Cluster.Name, nil
}

// stopPods ends all Pods, or those of kube-system that are named.
func (f *Fake) stopPods(a hosts.StopPods) (string, error) {
	if len(a.Only) == 0 {
		return emptied(&f.pods, "pods")
	}
	n := removed(&f.pods, func(pod string) bool { return slices.Contains(a.Only, strings.TrimPrefix(pod, "kube-system/")) })
	return counted(n, "pods"), nil
}

// emptied clears a list and says what it was.
func emptied(list *[]string, what string) (string, error) {
	if len(*list) == 0 {
		return "", nil
	}
	detail := fmt.Sprintf("%d %s", len(*list), what)
	*list = nil
	return detail, nil
}

// removed takes out of a list what matches, and counts it.
func removed(list *[]string, matches func(string) bool) int {
	before := len(*list)
	*list = slices.DeleteFunc(slices.Clone(*list), matches)
	return before - len(*list)
}

func (f *Fake) unmount(a hosts.Unmount) (string, error) {
	n := removed(&f.mounts, func(mount string) bool { return strings.HasPrefix(mount, a.Below+"/") })
	return counted(n, "mounts"), nil
}

func (f *Fake) removeNetwork(a hosts.RemoveNetwork) (string, error) {
	n := removed(&f.links, func(name string) bool { return hosts.MatchesLink(a.Links, name) })
	n += removed(&f.tables, func(name string) bool { return slices.Contains(a.Tables, name) })
	n += removed(&f.chains, func(name string) bool { return hosts.MatchesChain(a.Chains, name) })
	return counted(n, "things"), nil
}

func counted(n int, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (f *Fake) tidyStore() (string, error) {
	n := len(f.store)
	clear(f.store)
	return counted(n, "blobs"), nil
}

func (f *Fake) now() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}

func (f *Fake) unitFacts(name string) hosts.Unit {
	u := f.units[name]
	facts := hosts.Unit{Load: "loaded", Active: "inactive", Enabled: "disabled"}
	if u == nil || !u.preset {
		if !f.unitFile(name) {
			facts = hosts.Unit{Load: "not-found", Active: "inactive"}
		}
	}
	if u == nil {
		return facts
	}
	if u.active {
		facts.Active, facts.Inputs = "active", u.inputs
	}
	if u.enabled {
		facts.Enabled = "enabled"
	}
	return facts
}

func (f *Fake) moduleFacts(names []string) map[string]bool {
	found := map[string]bool{}
	for _, name := range names {
		found[name] = f.modules[name]
	}
	return found
}
