package hosttest

import (
	"maps"
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
)

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

// Image is the digest of the image of this name; empty where there is none.
func (f *Fake) Image(reference string) string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.images[reference]
}
