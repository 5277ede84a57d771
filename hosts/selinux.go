package hosts

var _ = register(LoadPolicyModule{})

// PolicyModule is the name of Slipway's module of the SELinux policy, and PolicySetting what the record calls it.
const (
	PolicyModule  = "slipway"
	PolicySetting = "selinux/" + PolicyModule
)

// LoadPolicyModule loads a module into the host's SELinux policy, in CIL, and labels by it what is there
// already. It outlives a reboot.
type LoadPolicyModule struct {
	Content string   `json:"content"` // a Blob's Ref
	Size    int64    `json:"size"`
	Labels  []string `json:"labels,omitempty"` // folders that are labelled anew, with all below them
}

func (a LoadPolicyModule) describe() Description {
	return Description{Kind: "load-policy-module", Deed: "load the SELinux module " + PolicyModule, Refs: []string{a.Content}}
}

// SELinuxPolicy is what is seen of a host's SELinux policy, where there is one.
type SELinuxPolicy struct {
	Name string `json:"name,omitempty"` // targeted, default, …
	// Levels tells that contexts have a level (s0): MLS, and MCS as most have it.
	Levels bool `json:"levels,omitempty"`
	// Containers tells that the policy has container-selinux's types.
	Containers bool `json:"containers,omitempty"`
	// Module is the digest of Slipway's module, sha256:<hex>, where it is loaded.
	Module string `json:"module,omitempty"`
	// Lacks are the programs that labelling needs and that the host does not have.
	Lacks []string `json:"lacks,omitempty"`
}
