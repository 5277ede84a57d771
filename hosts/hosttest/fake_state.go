package hosttest

import (
	"cmp"
	"maps"
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
)

// Done lists the actions that changed something, in their order.
func (f *Fake) Done() []hosts.Action {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return slices.Clone(f.done)
}

// Record is the machine's record; nil where there is none.
func (f *Fake) Record() *hosts.Record {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.record.Clone()
}

// Edit changes what every observation shows: the machine as it was delivered. What is
// only shown when it is asked for (Reach, Sync, VirtualIP) may be set here as well.
func (f *Fake) Edit(change func(*hosts.Facts)) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	change(&f.base)
}

// Leftovers puts on the machine what runs and lies around on a node in use: Pods (those of
// kube-system by their names alone), mounts, links, nft tables, iptables chains.
func (f *Fake) Leftovers(pods, mounts, links, tables, chains []string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.pods = append(f.pods, pods...)
	f.mounts = append(f.mounts, mounts...)
	f.links = append(f.links, links...)
	f.tables = append(f.tables, tables...)
	f.chains = append(f.chains, chains...)
}

// Pods lists the Pods that are there, as Leftovers put them.
func (f *Fake) Pods() []string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return slices.Clone(f.pods)
}

// Reboot ends what does not outlive the boot: leases, units that are not enabled, Pods and
// mounts. What the others were started with is kept on the disk.
func (f *Fake) Reboot() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.boot()
}

// reboot boots the machine at once, where it is still the boot that is meant.
func (f *Fake) reboot(a hosts.Reboot) (string, error) {
	if f.base.BootID != a.Boot {
		return "", nil
	}
	f.boot()
	if f.Rebooted != nil {
		f.Rebooted()
	}
	return "booted", nil
}

func (f *Fake) boot() {
	f.holder = nil
	f.pods, f.mounts = nil, nil
	for _, u := range f.units {
		if u.active = u.enabled; !u.active {
			u.inputs = ""
		}
	}
	f.base.BootID += "'"
}

// Clone makes another machine like this one, without what Serve offers, leases and opened hosts.
func (f *Fake) Clone() *Fake {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	units := make(map[string]*unit, len(f.units))
	for name, u := range f.units {
		same := *u
		units[name] = &same
	}
	return &Fake{
		Before: f.Before, Now: f.Now,
		base: f.base, files: maps.Clone(f.files), backups: maps.Clone(f.backups), store: maps.Clone(f.store),
		units: units, sysctls: maps.Clone(f.sysctls), modules: maps.Clone(f.modules), images: maps.Clone(f.images),
		unpinned: maps.Clone(f.unpinned), used: maps.Clone(f.used),
		names: maps.Clone(f.names), pods: slices.Clone(f.pods), mounts: slices.Clone(f.mounts),
		links: slices.Clone(f.links), tables: slices.Clone(f.tables), chains: slices.Clone(f.chains),
		record: f.record.Clone(), listeners: map[string]*listener{}, done: slices.Clone(f.done),
	}
}

// Has tells whether anything lies at a path.
func (f *Fake) Has(path string) bool {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.files[path] != nil
}

// Unit is the state of a unit, as an observation shows it.
func (f *Fake) Unit(name string) hosts.Unit {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.unitFacts(name)
}

// Image is the digest of the image of this name, and whether it is pinned; empty where there is none.
func (f *Fake) Image(reference string) (digest string, pinned bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	digest, pinned = f.images[reference]
	return cmp.Or(digest, f.unpinned[reference]), pinned
}

// UseImage makes a container of an image.
func (f *Fake) UseImage(reference string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.used[reference] = true
}
