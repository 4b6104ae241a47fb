package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/sallyport/sallyport/internal/logging"
)

// Errors of Acquire, Open and of tables.
var (
	// ErrDamaged: a value is not what was written. Tables return it for one
	// row; Open deals with it.
	ErrDamaged = errors.New("the database is damaged")
	// ErrNewer: a newer daemon has written it.
	ErrNewer = errors.New("the database was written by a newer version")
	// ErrLocked: another daemon uses it. See LockedError.
	ErrLocked = errors.New("the state directory is in use")
	// ErrNotPrivate: others own the directory or may write to it.
	ErrNotPrivate = errors.New("the state directory is not private")
)

// Sealer seals rows for their place (a *seal.Box).
type Sealer interface {
	Seal(bucket, key string, plain []byte) []byte
	Open(bucket, key string, sealed []byte) ([]byte, error)
}

// Config is what Open needs. Seal and Log are required.
type Config struct {
	Seal Sealer
	// Probe reads a database file whole, in a process that may die of it: nil
	// where it is healthy, ErrDamaged, ErrNewer, or why it could not say.
	// Nil reads a copy in this process, which survives most damage.
	Probe func(ctx context.Context, file string) error
	Log   *slog.Logger
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time
}

// Store is an open database.
type Store struct {
	path   string
	db     *bolt.DB
	seal   Sealer
	log    *slog.Logger
	faults []Fault

	Edges      Table[Edge]
	Forwards   Table[Forward]
	Tunnels    Table[Tunnel]
	Keys       Table[DeviceKey]
	Sessions   Table[Session]
	Enrolments Table[Enrolment]
	HostKeys   Table[HostKeys]
	Accounts   Table[Account]
}

// Fault is something that a person is to know of the database.
type Fault struct {
	// Detail is what happened, Hint what to do, one sentence each.
	Detail, Hint string
}

// Contents is what the agent reconciles with, from one moment.
type Contents struct {
	Edges      []Edge
	Forwards   []Forward
	Tunnels    []Tunnel
	Sessions   []Session
	Enrolments []Enrolment
	Accounts   []Account
}

// Open opens the database of the directory, which it makes, heals from the
// backup, and migrates where need be. It leaves a fresh backup behind.
func (d *Dir) Open(ctx context.Context, c Config) (*Store, error) {
	return d.open(ctx, c, migrations)
}

func (d *Dir) open(ctx context.Context, c Config, all []migration) (*Store, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	h := healer{Config: c, dir: d, newest: len(all)}
	if err := h.heal(ctx); err != nil {
		return nil, err
	}
	s, err := openPrepared(d.Path(dbName), c, all)
	if errors.Is(err, ErrDamaged) { // the probe did not see it
		if err := h.replace(ctx, err); err != nil {
			return nil, err
		}
		s, err = openPrepared(d.Path(dbName), c, all)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", d.Path(dbName), err)
	}
	s.faults = h.faults
	return s, nil
}

// openPrepared opens, migrates, verifies, and makes the backup.
func openPrepared(path string, c Config, all []migration) (*Store, error) {
	s, err := openFile(path, c)
	if err != nil {
		return nil, err
	}
	err = s.migrate(all)
	if err == nil {
		err = s.view(func(tx *bolt.Tx) error { return verify(tx, s.seal, len(all)) })
	}
	if err != nil {
		s.db.Close()
		return nil, err
	}
	if err := s.Backup(); err != nil { // a full disk is no reason not to start
		s.log.Warn("no backup at the start", slog.Any(logging.KeyError, err))
	}
	return s, nil
}

func openFile(path string, c Config) (*Store, error) {
	var db *bolt.DB
	err := guarded(func() (err error) {
		db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType})
		return err
	})
	if err != nil {
		return nil, damagedOr(err)
	}
	s := &Store{path: path, db: db, seal: c.Seal, log: c.Log}
	s.Edges = Table[Edge]{s, bucketEdges}
	s.Forwards = Table[Forward]{s, bucketForwards}
	s.Tunnels = Table[Tunnel]{s, bucketTunnels}
	s.Keys = Table[DeviceKey]{s, bucketKeys}
	s.Sessions = Table[Session]{s, bucketSessions}
	s.Enrolments = Table[Enrolment]{s, bucketEnrolments}
	s.HostKeys = Table[HostKeys]{s, bucketHostKeys}
	s.Accounts = Table[Account]{s, bucketAccounts}
	return s, nil
}

// damagedOr keeps apart what says nothing about the file's content.
func damagedOr(err error) error {
	var pathErr *fs.PathError
	var sysErr *os.SyscallError
	switch {
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrNewer):
		return err
	case errors.As(err, &pathErr), errors.As(err, &sysErr):
		return err
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: another program has opened the database", ErrLocked)
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// Load reads what the agent reconciles with.
func (s *Store) Load() (c Contents, err error) {
	err = s.view(func(tx *bolt.Tx) (err error) {
		if c.Edges, err = s.Edges.list(tx); err != nil {
			return err
		}
		if c.Forwards, err = s.Forwards.list(tx); err != nil {
			return err
		}
		if c.Tunnels, err = s.Tunnels.list(tx); err != nil {
			return err
		}
		if c.Sessions, err = s.Sessions.list(tx); err != nil {
			return err
		}
		if c.Accounts, err = s.Accounts.list(tx); err != nil {
			return err
		}
		c.Enrolments, err = s.Enrolments.list(tx)
		return err
	})
	return c, err
}

// Faults are what Open met; they do not change.
func (s *Store) Faults() []Fault { return s.faults }

// Backup copies the database to its backup, whole or not at all.
func (s *Store) Backup() error {
	if err := s.copyTo(s.path + backupSuffix); err != nil {
		return fmt.Errorf("back up %s: %w", s.path, err)
	}
	return nil
}

// Close makes a last backup and closes the database.
func (s *Store) Close() error {
	if err := s.Backup(); err != nil {
		s.log.Warn("no backup at the end", slog.Any(logging.KeyError, err))
	}
	return s.db.Close()
}

func (s *Store) copyTo(path string) error {
	return writeFile(path, func(f *os.File) error {
		return s.view(func(tx *bolt.Tx) error {
			_, err := tx.WriteTo(f)
			return err
		})
	})
}
