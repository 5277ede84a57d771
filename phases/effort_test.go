//go:build !race && !long

package phases

// lives is how many clusters of each shape are lived through, and upgradeLives how many generated ones are upgraded.
const (
	lives        = 5
	upgradeLives = 30
	// upgradeCuts is how many times as far apart the cuts of upgrades and rollbacks are.
	upgradeCuts = 1
)
