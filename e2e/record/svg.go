package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/terminal"
)

// How a picture is measured, and what it is drawn with.
const (
	cellWidth  = 10
	cellHeight = 20
	baseline   = 15 // of a line's text, below its top
	margin     = 15 // between the frame and the text

	ground = "#16191f"
	ink    = "#d3d7de"
	frame  = "#c9ced6"
	fonts  = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Noto Sans Mono CJK SC',monospace"
)

// pictureSVG draws a screen. Each of its lines is a line of the file, so that two pictures can be compared.
func pictureSVG(picture terminal.Picture) string {
	var b strings.Builder
	begin(&b, picture)
	for y, line := range picture {
		if drawn := lineSVG(line); drawn != "" {
			fmt.Fprintf(&b, "<g transform=\"translate(%d,%d)\">%s</g>\n", margin, margin+y*cellHeight, drawn)
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// begin writes what stands before the lines: the sizes, the font, the ground and its frame.
func begin(b *strings.Builder, picture terminal.Picture) {
	width, height := len(picture[0])*cellWidth+2*margin, len(picture)*cellHeight+2*margin
	fmt.Fprintf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" xml:space=\"preserve\" font-family=\"%s\" font-size=\"16.6\" fill=\"%s\">\n",
		width*4/5, height*4/5, width, height, fonts, ink)
	b.WriteString("<style>.b{font-weight:bold}.f{fill-opacity:.6}.i{font-style:italic}.u{text-decoration:underline}</style>\n")
	fmt.Fprintf(b, "<rect x=\"1\" y=\"1\" width=\"%d\" height=\"%d\" rx=\"8\" fill=\"%s\" stroke=\"%s\" stroke-width=\"2\"/>\n", width-2, height-2, ground, frame)
}

// lineSVG draws a line of the screen, with its upper left corner at 0,0. Of an empty line nothing is drawn.
func lineSVG(line []terminal.Cell) string {
	var b strings.Builder
	for x := 0; x < len(line); {
		end := x + 1
		colour := backgroundOf(line[x])
		for end < len(line) && (line[end].Text == "" || backgroundOf(line[end]) == colour) {
			end++
		}
		if colour != "" {
			fmt.Fprintf(&b, "<rect x=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>", x*cellWidth, (end-x)*cellWidth, cellHeight, colour)
		}
		x = end
	}
	pieces := piecesOf(line)
	if len(pieces) == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "<text y=\"%d\">", baseline)
	for _, p := range pieces {
		b.WriteString(p.svg())
	}
	b.WriteString("</text>")
	return b.String()
}

func backgroundOf(c terminal.Cell) string {
	switch {
	case c.Reversed && c.Foreground == "":
		return ink
	case c.Reversed:
		return c.Foreground
	}
	return c.Background
}

func foregroundOf(c terminal.Cell) string {
	switch {
	case c.Reversed && c.Background == "":
		return ground
	case c.Reversed:
		return c.Background
	}
	return c.Foreground
}

// piece is a part of a line that is drawn at once: all of its cells look the same.
type piece struct {
	at    int // the column
	look  terminal.Cell
	wide  bool     // each character takes two columns
	plain bool     // all of ASCII, one column each; else each character is placed by itself, since fonts differ in their widths
	texts []string // the characters
	xs    []int    // their columns
}

// piecesOf parts a line. Spaces are not drawn, but for single ones between words.
func piecesOf(line []terminal.Cell) []piece {
	var all []piece
	for x, c := range line {
		if c.Text == "" || c.Text == " " && !c.Underlined {
			continue
		}
		one := piece{at: x, look: c, wide: c.Wide, plain: len(c.Text) == 1, texts: []string{c.Text}, xs: []int{x}}
		one.look.Text, one.look.Wide = "", false
		if last := len(all) - 1; last >= 0 && all[last].goesOn(one) {
			all[last].add(x, c.Text)
			continue
		}
		all = append(all, one)
	}
	return all
}

// goesOn tells whether the next one is drawn with this piece. Between words there may be one space; other characters stand
// side by side, so that they are near their places also where a viewer knows but the place of a piece.
func (p *piece) goesOn(next piece) bool {
	distance := next.at - p.xs[len(p.xs)-1]
	if p.look != next.look || p.plain != next.plain || p.wide != next.wide {
		return false
	}
	if p.plain {
		return distance <= 2
	}
	return !p.wide && distance == 1 || p.wide && distance == 2
}

func (p *piece) add(x int, text string) {
	if p.plain && x-p.xs[len(p.xs)-1] == 2 {
		p.texts, p.xs = append(p.texts, " "), append(p.xs, x-1)
	}
	p.texts, p.xs = append(p.texts, text), append(p.xs, x)
}

func (p *piece) svg() string {
	var b strings.Builder
	b.WriteString("<tspan x=\"")
	if p.plain {
		fmt.Fprintf(&b, "%d\"", p.at*cellWidth)
		if len(p.texts) > 1 { // whatever font there is: it is as wide as its columns
			fmt.Fprintf(&b, " textLength=\"%d\"", len(p.texts)*cellWidth)
		}
	} else {
		b.WriteString(p.places() + "\"")
	}
	if colour := foregroundOf(p.look); colour != "" {
		fmt.Fprintf(&b, " fill=\"%s\"", colour)
	}
	if class := classOf(p.look); class != "" {
		fmt.Fprintf(&b, " class=\"%s\"", class)
	}
	b.WriteString(">" + escaper.Replace(strings.Join(p.texts, "")) + "</tspan>")
	return b.String()
}

// places are the characters' places: one for each code point, of which a character may have several.
func (p *piece) places() string {
	var places []string
	for i, text := range p.texts {
		for range utf8.RuneCountInString(text) {
			places = append(places, fmt.Sprint(p.xs[i]*cellWidth))
		}
	}
	return strings.Join(places, " ")
}

func classOf(look terminal.Cell) string {
	var classes []string
	for _, one := range []struct {
		is   bool
		name string
	}{{look.Bold, "b"}, {look.Faint, "f"}, {look.Italic, "i"}, {look.Underlined, "u"}} {
		if one.is {
			classes = append(classes, one.name)
		}
	}
	return strings.Join(classes, " ")
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
