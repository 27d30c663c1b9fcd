package chart

import (
	"image/color"
	"math"
	"sync"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/retentionops/retentionops/functions"
)

// dotsPerInch is one pixel for a CSS pixel, as mail programs count.
const dotsPerInch = 96

// The colours of the mail's own text and headings; a severity has that of its heading.
var (
	ink   = color.NRGBA{R: 0x1f, G: 0x29, B: 0x37, A: 0xff}
	faint = color.NRGBA{R: 0x6b, G: 0x72, B: 0x80, A: 0xff}
	line  = color.NRGBA{R: 0x9c, G: 0xa3, B: 0xaf, A: 0xff}
	idle  = color.NRGBA{R: 0xd1, G: 0xd5, B: 0xdb, A: 0xff}
	calm  = color.NRGBA{R: 0xe5, G: 0xe7, B: 0xeb, A: 0xff}
	amber = color.NRGBA{R: 0xfc, G: 0xd3, B: 0x8a, A: 0xff}
	red   = color.NRGBA{R: 0xf5, G: 0xa3, B: 0xa3, A: 0xff}
	white = color.NRGBA{R: 0xff, G: 0xff, B: 0xff, A: 0xff}
)

// faces are the two typefaces of the picture. Only these are linked: the whole collection is eight times as large.
type faces struct{ regular, bold *opentype.Font }

var typefaces = sync.OnceValues(func() (faces, error) {
	regular, err := opentype.Parse(liberationsansregular.TTF)
	if err != nil {
		return faces{}, err
	}
	bold, err := opentype.Parse(liberationsansbold.TTF)
	return faces{regular: regular, bold: bold}, err
})

// sheet is a canvas in pixels, counted from the upper left corner as in a mail.
type sheet struct {
	canvas        *vgimg.Canvas
	faces         faces
	width, height int
}

func newSheet(width, height int) (*sheet, error) {
	fonts, err := typefaces()
	if err != nil {
		return nil, err
	}
	canvas := vgimg.NewWith(
		vgimg.UseWH(pixels(float64(width)), pixels(float64(height))), vgimg.UseDPI(dotsPerInch), vgimg.UseBackgroundColor(white),
	)
	return &sheet{canvas: canvas, faces: fonts, width: width, height: height}, nil
}

func pixels(n float64) vg.Length { return vg.Inch * vg.Length(n) / dotsPerInch }

func (s *sheet) at(x, y float64) vg.Point {
	return vg.Point{X: pixels(x), Y: pixels(float64(s.height) - y)}
}

// box fills a rectangle.
func (s *sheet) box(fill color.Color, left, top, right, bottom float64) {
	s.canvas.SetColor(fill)
	s.canvas.Fill(s.outline(left, top, right, bottom))
}

// dashedBox draws the outline of what is not there.
func (s *sheet) dashedBox(stroke color.Color, left, top, right, bottom float64) {
	s.canvas.SetColor(stroke)
	s.canvas.SetLineWidth(pixels(1))
	s.canvas.SetLineDash([]vg.Length{pixels(4), pixels(3)}, 0)
	s.canvas.Stroke(s.outline(left+0.5, top+0.5, right-0.5, bottom-0.5))
	s.canvas.SetLineDash(nil, 0)
}

func (s *sheet) outline(left, top, right, bottom float64) vg.Path {
	var path vg.Path
	path.Move(s.at(left, top))
	path.Line(s.at(right, top))
	path.Line(s.at(right, bottom))
	path.Line(s.at(left, bottom))
	path.Close()
	return path
}

// dot fills a circle with a white rim, so that it stands out of what lies below.
func (s *sheet) dot(fill color.Color, x, y, radius float64) {
	for _, disc := range []struct {
		fill   color.Color
		radius float64
	}{{white, radius + 2}, {fill, radius}} {
		var path vg.Path
		path.Move(s.at(x+disc.radius, y))
		path.Arc(s.at(x, y), pixels(disc.radius), 0, 2*math.Pi)
		path.Close()
		s.canvas.SetColor(disc.fill)
		s.canvas.Fill(path)
	}
}

// lettering is how a text looks.
type lettering struct {
	color color.Color
	size  float64 // in pixels
	bold  bool
}

func (s *sheet) face(l lettering) font.Face {
	chosen := s.faces.regular
	if l.bold {
		chosen = s.faces.bold
	}
	return font.Face{Font: font.Font{Size: pixels(l.size)}, Face: chosen}
}

// length is how many pixels a text takes.
func (s *sheet) length(l lettering, text string) float64 {
	face := s.face(l)
	return float64(face.Width(text) / pixels(1))
}

// text writes from x on; y is the line that the letters stand on.
func (s *sheet) text(l lettering, x, y float64, text string) {
	s.canvas.SetColor(l.color)
	s.canvas.FillString(s.face(l), s.at(x, y), text)
}

// middle is where a text begins that has its middle at x, moved as far as it must be to stay on the sheet.
func (s *sheet) middle(l lettering, x float64, text string) float64 {
	length := s.length(l, text)
	return max(border, min(x-length/2, float64(s.width)-border-length))
}

// colorOf is the colour of a severity; ink for a word that is none.
func colorOf(word string) color.Color {
	switch functions.Severity(word) {
	case functions.Critical:
		return color.NRGBA{R: 0xb9, G: 0x1c, B: 0x1c, A: 0xff}
	case functions.Warning:
		return color.NRGBA{R: 0xb4, G: 0x53, B: 0x09, A: 0xff}
	case functions.Info:
		return color.NRGBA{R: 0x04, G: 0x78, B: 0x57, A: 0xff}
	default:
		return ink
	}
}
