package terminal

import (
	"fmt"
	"image/color"

	"github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/vt"
)

// Cell is one place of a screen.
type Cell struct {
	Text       string // one character, with what combines with it; empty: the wide one before takes this place, too
	Wide       bool   // it takes two places
	Foreground string // #rrggbb; empty: the terminal's own
	Background string // the same
	Bold       bool
	Faint      bool
	Italic     bool
	Underlined bool
	Reversed   bool // foreground and background are exchanged
}

// Picture is a whole screen, line by line: each has as many cells as the terminal has columns.
type Picture [][]Cell

// Picture is what is seen, with its colours.
func (t *Terminal) Picture() Picture {
	t.mu.Lock()
	defer t.mu.Unlock()
	return pictureOf(t.screen)
}

func pictureOf(screen *vt.Emulator) Picture {
	picture := make(Picture, screen.Height())
	for y := range picture {
		picture[y] = make([]Cell, screen.Width())
		wide := false
		for x := range picture[y] {
			if wide {
				wide = false
				continue
			}
			picture[y][x] = cellOf(screen.CellAt(x, y))
			wide = picture[y][x].Wide
		}
	}
	return picture
}

func cellOf(cell *uv.Cell) Cell {
	if cell == nil || cell.Content == "" {
		return Cell{Text: " "}
	}
	has := func(attribute uint8) bool { return cell.Style.Attrs&attribute != 0 }
	return Cell{
		Text: cell.Content, Wide: cell.Width > 1, Foreground: hex(cell.Style.Fg), Background: hex(cell.Style.Bg),
		Bold: has(uv.AttrBold), Faint: has(uv.AttrFaint), Italic: has(uv.AttrItalic), Reversed: has(uv.AttrReverse), Underlined: cell.Style.Underline != 0,
	}
}

func hex(c color.Color) string {
	if c == nil {
		return ""
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
