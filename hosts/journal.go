package hosts

import (
	"fmt"
	"regexp"
)

// MostJournalLines bounds how many lines of a unit's journal are read that are there already.
const MostJournalLines = 10_000

// unitName is how systemd names a unit, without the characters of a pattern: one unit is meant.
var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.@\\-]+\.[a-z]+$`)

// IsUnitName tells whether a text is the name of a systemd unit, such as kubelet.service.
func IsUnitName(name string) bool { return unitName.MatchString(name) }

// CheckJournal refuses what Host.Journal cannot be asked for.
func CheckJournal(unit string, lines int) error {
	switch {
	case !IsUnitName(unit):
		return fmt.Errorf("%q is not a unit's name, which is as kubelet.service", unit)
	case lines < 0 || lines > MostJournalLines:
		return fmt.Errorf("%d lines: it has to be from 0 to %d", lines, MostJournalLines)
	}
	return nil
}
