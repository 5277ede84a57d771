//go:build !race

package phases

// lives is how many clusters of each shape are lived through.
const lives = 5
