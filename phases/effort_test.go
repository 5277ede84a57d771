//go:build !race && !long

package phases

// lives is how many clusters of each shape are lived through, and upgradeLives how many generated ones are upgraded.
const (
	lives        = 5
	upgradeLives = 30
)
