// Package icon draws the tray's icons, so that no binary file need be kept: a
// disc with a tick (ready), an open ring (connecting), a padlock (signed out), a
// triangle with a mark (degraded), a crossed ring (offline), two
// bars (paused). The shapes tell them apart without the colours, and a light rim
// around each keeps them visible on dark and on light panels. Template draws
// the same in black alone, for the menu bar of macOS.
package icon

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"math"

	"github.com/sallyport/sallyport/tray/internal/menu"
)

// samples is how many points of a pixel are looked at in each direction.
const samples = 4

var (
	green = color.NRGBA{0x1f, 0x9d, 0x55, 0xff}
	blue  = color.NRGBA{0x2b, 0x6c, 0xd4, 0xff}
	amber = color.NRGBA{0xd9, 0x82, 0x00, 0xff}
	grey  = color.NRGBA{0x7a, 0x80, 0x88, 0xff}
	black = color.NRGBA{0, 0, 0, 0xff}
	light = color.NRGBA{0xff, 0xff, 0xff, 0xff}
)

// shape says the colour of a point of the square from (-1,-1) to (1,1); alpha 0
// is nothing.
type shape func(x, y float64) color.NRGBA

// Draw draws an icon with size pixels in each direction.
func Draw(i menu.Icon, size int) *image.NRGBA { return draw(rim(shapeOf(i)), size) }

// Template draws an icon in black; what is light in Draw is left open.
func Template(i menu.Icon, size int) *image.NRGBA {
	s := shapeOf(i)
	return draw(func(x, y float64) color.NRGBA {
		if c := s(x, y); c.A == 0 || c == light {
			return color.NRGBA{}
		}
		return black
	}, size)
}

func draw(s shape, size int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	for py := range size {
		for px := range size {
			img.SetNRGBA(px, py, pixel(s, px, py, size))
		}
	}
	return img
}

// pixel is the mean of its samples, weighted by how much each covers.
func pixel(s shape, px, py, size int) color.NRGBA {
	var r, g, b, a float64
	for i := range samples * samples {
		x := (float64(px)+(float64(i%samples)+0.5)/samples)/float64(size)*2 - 1
		y := (float64(py)+(float64(i/samples)+0.5)/samples)/float64(size)*2 - 1
		c := s(x, y)
		w := float64(c.A)
		r, g, b, a = r+float64(c.R)*w, g+float64(c.G)*w, b+float64(c.B)*w, a+w
	}
	if a == 0 {
		return color.NRGBA{}
	}
	return color.NRGBA{uint8(r / a), uint8(g / a), uint8(b / a), uint8(a / (samples * samples))}
}

func shapeOf(i menu.Icon) shape {
	switch i {
	case menu.IconReady:
		return func(x, y float64) color.NRGBA {
			if line(x, y, -0.36, 0.02, -0.1, 0.3) || line(x, y, -0.1, 0.3, 0.38, -0.28) {
				return light
			}
			return disc(x, y, green)
		}
	case menu.IconConnecting:
		return openRing
	case menu.IconSignedOut:
		return padlock
	case menu.IconDegraded:
		return func(x, y float64) color.NRGBA {
			if math.Abs(x) < 0.11 && y > -0.3 && y < 0.3 || math.Hypot(x, y-0.52) < 0.13 {
				return light
			}
			return triangle(x, y, amber)
		}
	case menu.IconPaused:
		return func(x, y float64) color.NRGBA {
			if d := math.Abs(x); d > 0.16 && d < 0.58 && math.Abs(y) < 0.78 {
				return grey
			}
			return color.NRGBA{}
		}
	}
	return func(x, y float64) color.NRGBA {
		if d := math.Hypot(x, y); d > 0.84 || d < 0.6 && !line(x, y, -0.5, -0.5, 0.5, 0.5) {
			return color.NRGBA{}
		}
		return grey
	}
}

func openRing(x, y float64) color.NRGBA {
	angle := math.Atan2(y, x)
	if d := math.Hypot(x, y); d < 0.42 || d > 0.84 || angle > -math.Pi/2 && angle < 0 {
		return color.NRGBA{}
	}
	return blue
}

// padlock is a body with a keyhole below a bow.
func padlock(x, y float64) color.NRGBA {
	bow := math.Hypot(x, y+0.18)
	switch {
	case math.Hypot(x, y-0.3) < 0.14, math.Abs(x) < 0.07 && y > 0.3 && y < 0.58:
		return light
	case math.Abs(x) < 0.66 && y > -0.08 && y < 0.82,
		y <= -0.08 && bow > 0.34 && bow < 0.58:
		return blue
	}
	return color.NRGBA{}
}

func disc(x, y float64, c color.NRGBA) color.NRGBA {
	if math.Hypot(x, y) > 0.84 {
		return color.NRGBA{}
	}
	return c
}

func triangle(x, y float64, c color.NRGBA) color.NRGBA {
	if y < -0.8 || y > 0.8 || math.Abs(x) > (y+0.8)/1.6*0.86 {
		return color.NRGBA{}
	}
	return c
}

// line says whether a point is on a stroke between two points.
func line(x, y, x1, y1, x2, y2 float64) bool {
	dx, dy := x2-x1, y2-y1
	t := max(0, min(1, ((x-x1)*dx+(y-y1)*dy)/(dx*dx+dy*dy)))
	return math.Hypot(x-x1-t*dx, y-y1-t*dy) < 0.12
}

// rim puts a light edge around a shape.
func rim(s shape) shape {
	const width, steps = 0.12, 16
	return func(x, y float64) color.NRGBA {
		if c := s(x, y); c.A != 0 {
			return c
		}
		for i := range steps {
			angle := 2 * math.Pi * float64(i) / steps
			if s(x+width*math.Cos(angle), y+width*math.Sin(angle)).A != 0 {
				return light
			}
		}
		return color.NRGBA{}
	}
}

// PNG is a picture as Linux and macOS want it.
func PNG(img image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err) // a picture of our own, into memory
	}
	return b.Bytes()
}

// ICO is a picture as Windows wants it: an icon file with one 32-bit bitmap,
// which every loader of icons knows.
func ICO(img *image.NRGBA) []byte {
	size := img.Bounds().Dx()
	maskRow := (size + 31) / 32 * 4
	pixels := size*size*4 + size*maskRow
	const dirBytes, headerBytes = 6 + 16, 40

	b := make([]byte, 0, dirBytes+headerBytes+pixels)
	le := binary.LittleEndian
	for _, v := range []uint16{0, 1, 1} { // reserved, icon, one picture
		b = le.AppendUint16(b, v)
	}
	b = append(b, byte(size), byte(size), 0, 0)
	b = le.AppendUint16(le.AppendUint16(b, 1), 32) // planes, bits a pixel
	b = le.AppendUint32(le.AppendUint32(b, uint32(headerBytes+pixels)), dirBytes)

	b = le.AppendUint32(b, headerBytes)
	b = le.AppendUint32(b, uint32(size))
	b = le.AppendUint32(b, uint32(2*size)) // the bitmap and its mask
	b = le.AppendUint16(le.AppendUint16(b, 1), 32)
	b = le.AppendUint32(le.AppendUint32(b, 0), uint32(pixels))
	b = append(b, make([]byte, 16)...) // resolution and palette: none
	for y := size - 1; y >= 0; y-- {
		for x := range size {
			c := img.NRGBAAt(x, y)
			b = append(b, c.B, c.G, c.R, c.A)
		}
	}
	return append(b, make([]byte, size*maskRow)...) // the alpha is the mask
}
