package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// tree is a parsed module.
type tree struct {
	fset     *token.FileSet
	packages map[string]*folder // by path relative to the root
}

// folder is the Go files of one directory, its external test package included.
type folder struct {
	path  string
	files []*file
}

type file struct {
	path     string
	test     bool // name ends in _test.go
	platform bool // built for some systems only
	lines    int
	syntax   *ast.File
}

// parse reads every Go file of the module at the root of fsys. Folders that the
// go command ignores, and nested modules, are left out.
func parse(fsys fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet(), packages: map[string]*folder{}}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if ignored(fsys, name, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		return t.add(fsys, name)
	})
	return t, err
}

func ignored(fsys fs.FS, name, base string) bool {
	if name == "." {
		return false
	}
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules" {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(name, "go.mod"))
	return err == nil
}

func (t *tree) add(fsys fs.FS, name string) error {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(t.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	p := t.packages[dir]
	if p == nil {
		p = &folder{path: dir}
		t.packages[dir] = p
	}
	p.files = append(p.files, &file{
		path:     name,
		test:     strings.HasSuffix(name, "_test.go"),
		platform: constrained(name, src),
		lines:    strings.Count(string(src), "\n"),
		syntax:   syntax,
	})
	return nil
}

// platforms are the file name endings that bind a file to a system.
var platforms = []string{"linux", "darwin", "windows", "unix", "other", "posix"}

func constrained(name string, src []byte) bool {
	base := strings.TrimSuffix(strings.TrimSuffix(path.Base(name), ".go"), "_test")
	if i := strings.LastIndexByte(base, '_'); i >= 0 && slices.Contains(platforms, base[i+1:]) {
		return true
	}
	for line := range strings.Lines(string(src)) {
		if strings.HasPrefix(line, "//go:build ") {
			return true
		}
		if strings.HasPrefix(line, "package ") {
			return false
		}
	}
	return false
}

func (t *tree) line(p token.Pos) int { return t.fset.Position(p).Line }

// imports gives each import path of a file with its line.
func (t *tree) imports(f *file) map[string]int {
	out := map[string]int{}
	for _, i := range f.syntax.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil {
			out[p] = t.line(i.Pos())
		}
	}
	return out
}

// within says whether path is dir or lies below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}
