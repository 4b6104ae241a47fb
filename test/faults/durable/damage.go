//go:build linux

package durable

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

const (
	database = "state.db"
	page     = 4096 // of bbolt on the machines this runs on
)

// damages are the ways in which a file is damaged. old is an older one.
var damages = []func(rng *rand.Rand, b, old []byte) []byte{
	func(rng *rand.Rand, b, _ []byte) []byte { // a flipped bit
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		return b
	},
	func(rng *rand.Rand, b, _ []byte) []byte { // a sector of noise
		at := rng.IntN(len(b)/512) * 512
		for i := range 512 {
			b[at+i] = byte(rng.Uint32())
		}
		return b
	},
	func(rng *rand.Rand, b, _ []byte) []byte { return b[:rng.IntN(len(b))] }, // cut short
	func(rng *rand.Rand, b, _ []byte) []byte { // a page of zeros
		clear(pageOf(rng, b))
		return b
	},
	func(rng *rand.Rand, b, _ []byte) []byte { // a page in the place of another
		copy(pageOf(rng, b), append([]byte(nil), pageOf(rng, b)...))
		return b
	},
	func(rng *rand.Rand, b, old []byte) []byte { // a page of the past
		at := rng.IntN(min(len(b), len(old))/page) * page
		copy(b[at:at+page], old[at:])
		return b
	},
}

func pageOf(rng *rand.Rand, b []byte) []byte {
	at := rng.IntN(len(b)/page) * page
	return b[at : at+page]
}

// exhibit is a state directory to be damaged.
type exhibit struct {
	files       map[string][]byte
	old         []byte            // the database of an hour before
	now, backup map[string]string // what the database says, and its backup
}

// exhibitOf makes one whose backup is a little older than the database.
func exhibitOf(ctx context.Context, c Config, h home) (*exhibit, error) {
	x := &exhibit{files: map[string][]byte{}}
	d, _, _, err := start(ctx, c.Program, h)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(furnish(ctx, d, 10), d.stop()); err != nil {
		return nil, err
	}
	if x.old, err = os.ReadFile(filepath.Join(h.state(), database)); err != nil {
		return nil, err
	}
	for _, begin := range []int{10, 30} {
		if d, _, _, err = start(ctx, c.Program, h); err != nil {
			return nil, err
		}
		for n := range 20 {
			if _, err := d.add(ctx, begin+n); err != nil {
				d.kill()
				return nil, err
			}
		}
		forwards, err := d.client.Forwards(ctx)
		if err != nil {
			d.kill()
			return nil, err
		}
		x.backup, x.now = x.now, settings(forwards)
		if begin == 30 {
			d.kill() // so that there is no newer backup
		} else if err := d.stop(); err != nil {
			return nil, err
		}
	}
	names, err := filepath.Glob(filepath.Join(h.state(), "*"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if x.files[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// lay puts the exhibit in a home, with another database.
func (x *exhibit) lay(h home, db []byte) error {
	if err := errors.Join(os.RemoveAll(h.state()), os.MkdirAll(h.state(), 0o700)); err != nil {
		return err
	}
	for name, b := range x.files {
		if name == database {
			b = db
		}
		if err := os.WriteFile(filepath.Join(h.state(), name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// damaged starts a daemon on damaged databases: it says what is true, or what was
// true at the last backup and that this is so; never anything else.
func damaged(ctx context.Context, c Config, rng *rand.Rand, h home, r *Row) error {
	x, err := exhibitOf(ctx, c, h)
	if err != nil {
		return err
	}
	for try := range r.Tried {
		kind := try % len(damages)
		db := damages[kind](rng, append([]byte(nil), x.files[database]...), x.old)
		if err := x.lay(h, db); err != nil {
			return err
		}
		if err := x.show(ctx, c, h, r); err != nil {
			r.fault("damage %d of kind %d: %w", try, kind+1, err)
		}
	}
	return nil
}

// show starts a daemon on what was laid out, and again on what it made of that.
func (x *exhibit) show(ctx context.Context, c Config, h home, r *Row) error {
	healed, err := x.heal(ctx, c, h, r)
	if err != nil {
		return err
	}
	d, status, took, err := start(ctx, c.Program, h)
	if err != nil {
		return fmt.Errorf("the start after: %w", err)
	}
	defer d.kill()
	r.ready(took, healedWithin)
	if is := settings(status.Forwards); !maps.Equal(is, healed) {
		r.Lost++
		return fmt.Errorf("the start after: %d forwards instead of %d", len(is), len(healed))
	}
	return nil
}

// heal gives the settings that the first daemon left, after a change.
func (x *exhibit) heal(ctx context.Context, c Config, h home, r *Row) (map[string]string, error) {
	d, status, took, err := start(ctx, c.Program, h)
	if err != nil {
		return nil, err
	}
	defer d.kill()
	r.ready(took, healedWithin)
	kept, err := filepath.Glob(filepath.Join(h.state(), database+".damaged-*"))
	if err != nil {
		return nil, err
	}
	told := ""
	for _, p := range status.Problems {
		told += p.Title + ": " + p.Detail + "\n"
	}
	is := settings(status.Forwards)
	if len(kept) == 0 { // what was damaged is not in use
		if !maps.Equal(is, x.now) {
			r.Lost++
			return nil, fmt.Errorf("silently other settings: %d forwards instead of %d", len(is), len(x.now))
		}
	} else {
		r.Met++
		if !maps.Equal(is, x.backup) {
			r.Lost++
			return nil, fmt.Errorf("the last good backup is not what is there: %d forwards instead of %d: %s", len(is), len(x.backup), told)
		}
		if !strings.Contains(told, kept[0]) || !strings.Contains(told, "was restored") {
			return nil, fmt.Errorf("status does not tell: %q", told)
		}
	}
	added, err := d.add(ctx, 100)
	if err != nil {
		return nil, fmt.Errorf("a change afterwards: %w", err)
	}
	r.Changes++
	is[added.ID] = value(added)
	return is, nil
}
