//go:build race

package phases

// lives is how many clusters of each shape are lived through: fewer, since the race
// detector makes all of it seven times as long.
const lives = 1
