//go:build !race && long

package phases

// What make test-long takes its time for.
const (
	lives        = 5
	upgradeLives = 2000
	// upgradeCuts is how many times as far apart the cuts of upgrades and rollbacks are.
	upgradeCuts = 1
)
