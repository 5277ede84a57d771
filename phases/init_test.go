package phases

import (
	"testing"
)

func TestInitConvergesOnEveryShape(t *testing.T) {
	for _, shape := range [][2]int{{1, 0}, {1, 2}, {3, 1}, {5, 4}, {2, 0}} {
		w := newWorld(t, shape[0], shape[1])
		w.init(seeded(1))
		p, _ := w.planned(Init)
		wantEmpty(t, p)
	}
}
