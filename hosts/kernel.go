package hosts

var _ = register(SetSysctl{}, LoadModule{}, DisableSwap{})

// SetSysctl sets a kernel parameter now; the file that keeps it is a WriteFile.
type SetSysctl struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (a SetSysctl) describe() Description {
	return Description{Kind: "set-sysctl", Deed: "set " + a.Key, Detail: " = " + a.Value}
}

// LoadModule loads a kernel module now.
type LoadModule struct {
	Name string `json:"name"`
}

func (a LoadModule) describe() Description {
	return Description{Kind: "load-module", Deed: "load module " + a.Name}
}

// DisableSwap turns all swap off, now and for the next boot.
type DisableSwap struct{}

func (DisableSwap) describe() Description {
	return Description{Kind: "disable-swap", Deed: "turn swap off"}
}
