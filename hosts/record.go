package hosts

import (
	"maps"
	"slices"
	"strings"
)

var _ = register(Claim{}, Restore{}, TidyStore{}, Forget{})

// Claim notes which cluster the host belongs to, before its first change.
type Claim struct {
	Cluster Identity `json:"cluster"`
	// Node is the host's name in the cluster file; with it the host notes which machine it is.
	Node string `json:"node,omitempty"`
}

func (a Claim) describe() Description {
	return Description{Kind: "claim", Deed: "claim for cluster " + a.Cluster.Name}
}

// Restore puts one setting of the record back to what it was. Value is only shown: the host
// takes the value from its record.
type Restore struct {
	Setting string `json:"setting"`
	Value   string `json:"value,omitempty"`
}

func (a Restore) describe() Description {
	return Description{Kind: "restore", Deed: "restore " + a.Setting}
}

// TidyStore removes the blobs from the host's store, once no running action needs them.
type TidyStore struct{}

func (TidyStore) describe() Description {
	return Description{Kind: "tidy-store", Deed: "tidy the store"}
}

// Forget removes Slipway's store, agent and record: a reset's last action. The rest of
// what the record names must be gone; else it fails and says what is left.
type Forget struct{}

func (Forget) describe() Description {
	return Description{Kind: "forget", Deed: "forget: remove store, agent and record"}
}

// Identity names a cluster: the SHA-256 of its CA's public key, and its name.
type Identity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Record is the inventory and undo record, one file on each host: what Slipway made,
// and what a setting was before.
type Record struct {
	Version int      `json:"version"`
	Cluster Identity `json:"cluster"`
	// Machine is nil on a host that an older Slipway claimed.
	Machine *Machine `json:"machine,omitempty"`
	Paths   []Owned  `json:"paths,omitempty"`
	Units   []string `json:"units,omitempty"`
	Images  []string `json:"images,omitempty"`
	// Bundled are those of the images that came from a bundle, with the digests of their manifests.
	// The others are the user's own, or an older Slipway loaded them.
	Bundled map[string]string `json:"bundled,omitempty"`
	Priors  []Prior           `json:"priors,omitempty"`
}

// Machine is which machine a host was when it was claimed. A copied or moved disk carries the
// record along; this shows whether it is still on the machine where it was written.
type Machine struct {
	Node      string `json:"node"`     // its name in the cluster file, which is its node's
	Hostname  string `json:"hostname"` // what it called itself then, before Slipway named it
	MachineID string `json:"machineID"`
}

// Owned is a path that Slipway made.
type Owned struct {
	Path   string   `json:"path"`
	Type   FileType `json:"type"`
	Digest string   `json:"digest,omitempty"` // of a file as written; empty for seeds, which live on
	Target string   `json:"target,omitempty"` // of a link as made; empty also where an older Slipway made it
}

// Prior is what a setting was before Slipway first changed it.
type Prior struct {
	// Setting is kind/name: sysctl/net.ipv4.ip_forward, swap/<device>, hostname,
	// hosts/<address>, module/<name>, unit/<name>, file/<path>.
	Setting string `json:"setting"`
	Value   string `json:"value,omitempty"`
	Absent  bool   `json:"absent,omitempty"` // there was nothing
	// Set is what Slipway last made of a kernel parameter, the host's name or its time zone: where it is something
	// else by now, somebody else has set it since, and it is not put back.
	Set string `json:"set,omitempty"`
}

// OwnedAt finds what Slipway made at a path; a host without a record has nothing of it.
func (r *Record) OwnedAt(path string) (owned Owned, found bool) {
	if r == nil {
		return Owned{}, false
	}
	return first(r.Paths, func(have Owned) bool { return have.Path == path })
}

// PriorOf finds what a setting was before Slipway changed it.
func (r *Record) PriorOf(setting string) (prior Prior, found bool) {
	if r == nil {
		return Prior{}, false
	}
	return first(r.Priors, func(have Prior) bool { return have.Setting == setting })
}

func first[T any](list []T, is func(T) bool) (found T, ok bool) {
	if at := slices.IndexFunc(list, is); at >= 0 {
		return list[at], true
	}
	return found, false
}

// Own notes that paths are Slipway's.
func (r *Record) Own(paths ...Owned) {
	for _, owned := range paths {
		if at := slices.IndexFunc(r.Paths, func(have Owned) bool { return have.Path == owned.Path }); at >= 0 {
			r.Paths[at] = owned
		} else {
			r.Paths = append(r.Paths, owned)
		}
	}
}

// Disown drops a path, and with below all under it.
func (r *Record) Disown(path string, below bool) {
	r.Paths = slices.DeleteFunc(r.Paths, func(have Owned) bool {
		return have.Path == path || below && strings.HasPrefix(have.Path, strings.TrimSuffix(path, "/")+"/")
	})
}

// Loaded notes an image that is loaded. What takes the name of one of the bundle's, by whatever
// spelling, and is not the bundle's, is the user's own.
func (r *Record) Loaded(image LoadImage) {
	if !slices.Contains(r.Images, image.Reference) {
		r.Images = append(r.Images, image.Reference)
	}
	maps.DeleteFunc(r.Bundled, func(name, _ string) bool { return SameImageName(name, image.Reference) })
	if image.Bundled {
		if r.Bundled == nil {
			r.Bundled = map[string]string{}
		}
		r.Bundled[image.Reference] = image.Manifest.Digest
	}
}

// IsBundled tells whether an image of this name, by whatever spelling, and digest came from a bundle.
func (r *Record) IsBundled(name, digest string) bool {
	if r == nil {
		return false
	}
	for bundled, have := range r.Bundled {
		if have == digest && SameImageName(bundled, name) {
			return true
		}
	}
	return false
}

// HasOther tells whether an image of this name and digest came from a bundle by another name too.
func (r *Record) HasOther(name, digest string) bool {
	for other, have := range r.Bundled {
		if have == digest && !SameImageName(other, name) {
			return true
		}
	}
	return false
}

// ForgetImage drops an image.
func (r *Record) ForgetImage(name string) {
	r.Images = slices.DeleteFunc(r.Images, func(have string) bool { return have == name })
	delete(r.Bundled, name)
}

// Remember notes what settings were; the first value wins, but of Set the last.
func (r *Record) Remember(priors ...Prior) {
	for _, prior := range priors {
		at := slices.IndexFunc(r.Priors, func(have Prior) bool { return have.Setting == prior.Setting })
		switch {
		case at < 0:
			r.Priors = append(r.Priors, prior)
		case prior.Set != "":
			r.Priors[at].Set = prior.Set
		}
	}
}

// ForgetUnit drops a unit.
func (r *Record) ForgetUnit(name string) {
	r.Units = slices.DeleteFunc(r.Units, func(have string) bool { return have == name })
}

// ForgetPrior drops what a setting was.
func (r *Record) ForgetPrior(setting string) {
	r.Priors = slices.DeleteFunc(r.Priors, func(have Prior) bool { return have.Setting == setting })
}

// Clone is a copy that shares nothing with the record.
func (r *Record) Clone() *Record {
	if r == nil {
		return nil
	}
	clone := *r
	clone.Paths, clone.Units = slices.Clone(r.Paths), slices.Clone(r.Units)
	clone.Images, clone.Priors = slices.Clone(r.Images), slices.Clone(r.Priors)
	clone.Bundled = maps.Clone(r.Bundled)
	return &clone
}
