package hosts

import "fmt"

var _ = register(TakeLease{}, ReleaseLease{})

// TakeLease takes the host for this operator until the Host is closed or ReleaseLease
// is done. Taking it again by the same Host is Unchanged.
type TakeLease struct {
	Holder string `json:"holder"`
	// Plan is the digest of the plan that the lease is for: the host's journal names it
	// with every action done under the lease.
	Plan string `json:"plan,omitempty"`
}

func (a TakeLease) describe() Description {
	return Description{Kind: "take-lease", Deed: "take the lease", Detail: " for " + a.Holder}
}

// ReleaseLease gives back the lease that this Host took; without one it is Unchanged.
type ReleaseLease struct{}

func (ReleaseLease) describe() Description {
	return Description{Kind: "release-lease", Deed: "give back the lease"}
}

// LeaseHolder is who holds a host's lease.
type LeaseHolder struct {
	Holder string `json:"holder"` // user@machine, process id
	Since  string `json:"since"`  // RFC 3339
	Heard  string `json:"heard"`  // RFC 3339: the last sign of life
}

func (h LeaseHolder) Error() string {
	return fmt.Sprintf("held by %s since %s, last heard %s", h.Holder, h.Since, h.Heard)
}
