package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/sallyport/sallyport/internal/logging"
)

const damagedSuffix = ".damaged-"

// healer sees to it that there is a healthy database before it is opened. Each
// of its steps is a rename, so that a kill between two of them is met by the
// next start.
type healer struct {
	Config
	dir    *Dir
	newest int
	faults []Fault
}

func (h *healer) heal(ctx context.Context) error {
	h.tidy()
	path := h.dir.Path(dbName)
	_, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// The very first start, or a kill while a damaged file was replaced.
		err = h.restore(ctx)
	case err == nil:
		err = h.probe(ctx, path)
		if errors.Is(err, ErrDamaged) {
			err = h.replace(ctx, err)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	h.mention()
	return nil
}

// tidy takes away what a killed process had begun to write.
func (h *healer) tidy() {
	for _, pattern := range []string{dbName + ".new*", dbName + ".*.new*", dbName + ".probe*"} {
		left, _ := filepath.Glob(h.dir.Path(pattern))
		for _, f := range left {
			os.Remove(f)
		}
	}
}

// replace sets the damaged file aside and puts the backup in its place.
func (h *healer) replace(ctx context.Context, cause error) error {
	path := h.dir.Path(dbName)
	aside, err := h.setAside(path)
	if err != nil {
		return err
	}
	h.Log.Error("database damaged, set aside", slog.String(logging.KeyFile, aside), slog.Any(logging.KeyError, cause))
	return h.restore(ctx)
}

func (h *healer) setAside(path string) (string, error) {
	aside := path + damagedSuffix + h.Now().UTC().Format("20060102T150405.000")
	return aside, os.Rename(path, aside)
}

// restore puts a healthy database where there is none: the backup, else an
// empty one.
func (h *healer) restore(ctx context.Context) error {
	path := h.dir.Path(dbName)
	backup := path + backupSuffix
	info, err := os.Stat(backup)
	if errors.Is(err, fs.ErrNotExist) {
		return h.fresh(path)
	}
	if err != nil {
		return err
	}
	if err := h.probe(ctx, backup); errors.Is(err, ErrDamaged) {
		if _, err := h.setAside(backup); err != nil {
			return err
		}
		h.faults = append(h.faults, Fault{
			Detail: "the backup of the database was damaged too; the daemon started with an empty one",
			Hint:   "set up edges, forwards and tunnels again, and sign in",
		})
		return h.fresh(path)
	} else if err != nil {
		return err
	}
	if err := writeFile(path, func(f *os.File) error { return copyFrom(f, backup) }); err != nil {
		return err
	}
	h.Log.Warn("database restored from its backup", slog.Time("of", info.ModTime()))
	h.faults = append(h.faults, Fault{
		Detail: "the database was damaged; the backup of " + info.ModTime().UTC().Format(time.RFC3339) + " was restored, and what changed since is lost",
		Hint:   "look through edges, forwards and tunnels",
	})
	return nil
}

func (h *healer) fresh(path string) error {
	return writeFile(path, func(f *os.File) error {
		db, err := bolt.Open(f.Name(), 0o600, &bolt.Options{Timeout: time.Second})
		if err != nil {
			return err
		}
		return errors.Join(create(db, h.Seal), db.Close())
	})
}

// mention keeps saying that a damaged file is there, until somebody removes it.
func (h *healer) mention() {
	kept, _ := filepath.Glob(h.dir.Path(dbName + "*" + damagedSuffix + "*"))
	slices.Sort(kept)
	for _, f := range kept {
		h.faults = append(h.faults, Fault{
			Detail: "a damaged database is kept as " + f,
			Hint:   "delete the file once nothing is missed",
		})
	}
}

func (h *healer) probe(ctx context.Context, path string) error {
	if h.Probe != nil {
		return h.Probe(ctx, path)
	}
	return h.probeHere(path)
}

// probeHere reads a copy: a database that bbolt dies of stays open, and locked,
// for as long as the process lives.
func (h *healer) probeHere(path string) error {
	copied, err := os.CreateTemp(filepath.Dir(path), dbName+".probe*")
	if err != nil {
		return err
	}
	defer os.Remove(copied.Name())
	if err := errors.Join(copyFrom(copied, path), copied.Close()); err != nil {
		return err
	}
	return guarded(func() error { return probeFile(copied.Name(), h.Seal, h.newest, false) })
}

func copyFrom(dst io.Writer, path string) error {
	src, err := os.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = io.Copy(dst, src)
	return err
}
