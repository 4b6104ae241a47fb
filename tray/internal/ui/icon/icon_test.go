package icon

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/png"
	"testing"

	"github.com/sallyport/sallyport/tray/internal/menu"
)

var all = menu.Icons()

// bare is where something is drawn, and how bright: what is left without colour.
func bare(img *image.NRGBA) []bool {
	var out []bool
	for i := 0; i < len(img.Pix); i += 4 {
		white := int(img.Pix[i])+int(img.Pix[i+1])+int(img.Pix[i+2]) > 600
		out = append(out, img.Pix[i+3] > 127 && !white)
	}
	return out
}

func TestShapesDiffer(t *testing.T) {
	t.Parallel()
	const size = 22 // the size of most panels
	for i, a := range all {
		for _, b := range all[:i] {
			differ := 0
			x, y := bare(Draw(a, size)), bare(Draw(b, size))
			for k := range x {
				if x[k] != y[k] {
					differ++
				}
			}
			if differ < size*size/10 {
				t.Errorf("%s and %s differ in %d of %d pixels", a, b, differ, size*size)
			}
		}
	}
}

// Corners are empty, and every icon has dark and light parts.
func TestVisibleOnBothPanels(t *testing.T) {
	t.Parallel()
	for _, i := range all {
		img := Draw(i, 64)
		light, dark := 0, 0
		for k, drawn := range bare(img) {
			switch {
			case drawn:
				dark++
			case img.Pix[4*k+3] > 127:
				light++
			}
		}
		if light < 64 || dark < 64*4 || img.NRGBAAt(0, 0).A != 0 {
			t.Errorf("%s: %d light and %d dark pixels", i, light, dark)
		}
	}
}

// The menu bar colours a template by itself, so it has no colour of its own, and
// the marks inside are left open.
func TestTemplate(t *testing.T) {
	t.Parallel()
	for _, i := range all {
		img, drawn := Template(i, 32), 0
		for k := 0; k < len(img.Pix); k += 4 {
			if img.Pix[k] != 0 || img.Pix[k+1] != 0 || img.Pix[k+2] != 0 {
				t.Fatalf("%s has a colour", i)
			}
			if img.Pix[k+3] > 127 {
				drawn++
			}
		}
		if drawn < 32*32/8 || drawn > 32*32*3/4 {
			t.Errorf("%s: %d pixels are drawn", i, drawn)
		}
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	img := Draw(menu.IconReady, 32)
	got, err := png.Decode(bytes.NewReader(PNG(img)))
	if err != nil || got.Bounds() != img.Bounds() {
		t.Errorf("png: %v", err)
	}
	ico := ICO(img)
	le := binary.LittleEndian
	if want := 22 + 40 + 32*32*4 + 32*4; len(ico) != want {
		t.Errorf("ico has %d bytes, want %d", len(ico), want)
	}
	if le.Uint16(ico[2:]) != 1 || ico[6] != 32 || le.Uint32(ico[14:]) != uint32(len(ico)-22) || le.Uint32(ico[18:]) != 22 || le.Uint32(ico[30:]) != 64 {
		t.Errorf("ico header % x", ico[:62])
	}
	// The first row of the file is the lowest of the picture.
	c, at := img.NRGBAAt(16, 31-3), 62+3*32*4+16*4
	if !bytes.Equal(ico[at:at+4], []byte{c.B, c.G, c.R, c.A}) {
		t.Errorf("pixel % x, want %v", ico[at:at+4], c)
	}
}
