package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// archives makes a tarball for each system but Windows: the payload, from which
// the installer in it installs.
func (r *release) archives(context.Context) error {
	for _, t := range r.targets() {
		if t.goos == "windows" {
			continue
		}
		name := fmt.Sprintf("sallyport-%s-%s-%s", r.fileVersion(), t.goos, t.goarch)
		if err := tarball(filepath.Join(r.out, name+".tar.gz"), r.dir(t), name, r.epoch); err != nil {
			return err
		}
	}
	return nil
}

// tarball writes the files below dir, by name, as root's and of one time.
func tarball(to, dir, prefix string, at time.Time) (err error) {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return add(w, filepath.Join(dir, name), path.Join(prefix, name), at)
	})
	return errors.Join(err, w.Close(), z.Close())
}

func add(w *tar.Writer, from, name string, at time.Time) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	h := &tar.Header{Name: name, Mode: mode, Size: info.Size(), ModTime: at, Uname: "root", Gname: "root", Format: tar.FormatPAX}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// checksums lists the SHA-256 of everything, as sha256sum -c reads it.
func (r *release) checksums(context.Context) error {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var lines []string
	for _, e := range entries {
		sum, err := sumOf(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		lines = append(lines, sum+"  "+e.Name()+"\n")
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[sha256.Size*2:], b[sha256.Size*2:]) })
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(strings.Join(lines, "")), 0o644)
}

func sumOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
