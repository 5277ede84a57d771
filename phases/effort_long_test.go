//go:build !race && long

package phases

// What make test-long takes its time for.
const (
	lives        = 5
	upgradeLives = 2000
)
