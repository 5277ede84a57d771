package hosts

var _ = register(Reboot{})

// Reboot asks systemd to boot the host again, in order: units are stopped first. It is done when systemd has
// accepted that. The proof of the reboot is another boot ID, see Facts.
type Reboot struct {
	// Boot is the ID of the boot that is to end. In another one nothing is done: the host has
	// booted since.
	Boot string `json:"boot"`
}

func (a Reboot) describe() Description {
	return Description{Kind: "reboot", Deed: "reboot the host", Detail: " out of boot " + a.Boot}
}
