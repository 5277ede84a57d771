//go:build race

package phases

// lives is how many clusters of each shape are lived through, and upgradeLives how many generated ones are
// upgraded: fewer, since the race detector makes all of it seven times as long.
const (
	lives        = 1
	upgradeLives = 3
	// upgradeCuts is how many times as far apart the cuts of upgrades and rollbacks are.
	upgradeCuts = 3
)
