// Program packaging makes what is released: packages for Debian and Red Hat
// families, an installer for Windows, archives, checksums, and a bill of
// materials for each program. What lands where is internal/manifest's to say.
//
// Shapes: each step reads what the ones before have left in a work directory.
// Nothing in the result depends on when, where or by whom it was made: times are
// that of the commit, paths are trimmed, owners are root, order is by name.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// release is one run.
type release struct {
	out, work       string
	version, commit string
	commits         int // up to this one, 0 where it is not known
	epoch           time.Time
	quick           bool
	goTool          string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := &release{}
	flag.StringVar(&r.out, "out", "dist", "`DIR` to write into")
	flag.StringVar(&r.version, "version", "devel", "`VERSION` as git describe says it")
	flag.StringVar(&r.commit, "commit", "", "`COMMIT` it is made from")
	flag.IntVar(&r.commits, "commits", 0, "`NUMBER` of commits up to it, in a whole clone: a later MSI is to have a higher one")
	epoch := flag.String("epoch", os.Getenv("SOURCE_DATE_EPOCH"), "`SECONDS` of the commit's time")
	flag.BoolVar(&r.quick, "quick", false, "only the packages of this architecture, and the MSI")
	flag.StringVar(&r.goTool, "go", "go", "`PROGRAM` to build with")
	flag.Parse()
	seconds, err := strconv.ParseInt(*epoch, 10, 64)
	if err == nil {
		r.epoch = time.Unix(seconds, 0).UTC()
		err = r.make(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "packaging: error:", err)
		os.Exit(1)
	}
}

// make runs the steps in a work directory of its own.
func (r *release) make(ctx context.Context) (err error) {
	if r.out, err = filepath.Abs(r.out); err != nil {
		return err
	}
	if r.work, err = os.MkdirTemp("", "sallyport-dist-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.work)) }()
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"programs", r.buildAll}, {"shared files", r.stage}, {"deb and rpm", r.packages}, {"archives", r.archives},
		{"msi", r.installer}, {"bills of materials", r.bills}, {"checksums", r.checksums},
	}
	for _, s := range steps {
		started := time.Now()
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Printf("%-20s %5.1f s\n", s.name, time.Since(started).Seconds())
	}
	return nil
}

var described = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)(?:-(.+))?$`)

// packageVersion is the version in the words of dpkg and rpm: a build between
// releases sorts after the one before, one before any release before all.
func (r *release) packageVersion() string {
	if m := described.FindStringSubmatch(r.version); m != nil {
		if m[2] == "" {
			return m[1]
		}
		return m[1] + "+" + strings.ReplaceAll(m[2], "-", ".")
	}
	return "0.0.0~git" + r.epoch.Format("20060102") + "." + strings.Map(func(c rune) rune {
		if c == '-' {
			return '.'
		}
		return c
	}, r.version)
}

// plainVersion is three numbers.
func (r *release) plainVersion() string {
	if m := described.FindStringSubmatch(r.version); m != nil {
		return m[1]
	}
	return "0.0.0"
}

// fileVersion stands in names of files; some file systems and URLs are at odds
// with a tilde.
func (r *release) fileVersion() string { return strings.ReplaceAll(r.packageVersion(), "~", "-") }
