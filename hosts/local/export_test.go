//go:build linux

package local

// Acting is how many actions are in hand.
func (h *Host) Acting() int { return int(h.acting.Load()) }
