package archtest

import (
	"go/ast"
	"go/token"
	"slices"
)

func (c *checker) sizes(p *folder) {
	total := 0
	for _, f := range p.files {
		if f.lines > c.FileLines {
			c.report(RuleFile, f.path, 1, "%d lines, at most %d", f.lines, c.FileLines)
		}
		if f.test {
			continue
		}
		total += f.lines
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			if n := c.line(fn.End()) - c.line(fn.Pos()) + 1; n > c.FuncLines {
				c.report(RuleFunc, f.path, c.line(fn.Pos()), "%s has %d lines, at most %d", fn.Name.Name, n, c.FuncLines)
			}
		}
	}
	if total > c.PackageLines {
		c.report(RulePackage, p.files[0].path, 1, "package %s has %d lines, at most %d", p.path, total, c.PackageLines)
	}
}

func (c *checker) docs(p *folder) {
	documented := false
	for _, f := range p.files {
		documented = documented || f.syntax.Doc != nil
	}
	if !documented {
		c.report(RulePackageDoc, p.files[0].path, 1, "package %s has no comment", p.path)
	}
	if !slices.ContainsFunc(c.Documented, func(dir string) bool { return within(p.path, dir) }) {
		return
	}
	for _, f := range p.files {
		if !f.test {
			c.exported(f)
		}
	}
}

func (c *checker) exported(f *file) {
	for _, d := range f.syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			// String is fmt.Stringer everywhere and says nothing new.
			if d.Doc == nil && d.Name.IsExported() && d.Name.Name != "String" && receiverExported(d) {
				c.report(RuleExported, f.path, c.line(d.Pos()), "%s has no comment", d.Name.Name)
			}
		case *ast.GenDecl:
			c.group(f, d)
		}
	}
}

// group checks types, constants and variables. A comment covers the lines that
// follow it without a gap; the members of an enumeration are covered by their type.
func (c *checker) group(f *file, d *ast.GenDecl) {
	covered, last, typed := d.Doc != nil, 0, false
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
				c.report(RuleExported, f.path, c.line(s.Pos()), "%s has no comment", s.Name.Name)
			}
		case *ast.ValueSpec:
			typed = s.Type != nil || typed && len(s.Values) == 0
			own := s.Doc != nil || s.Comment != nil
			if !own && c.line(s.Pos()) != last+1 {
				covered = d.Doc != nil
			}
			covered, last = covered || own, c.line(s.End())
			if d.Tok == token.CONST && typed || covered {
				continue
			}
			for _, n := range s.Names {
				if n.IsExported() {
					c.report(RuleExported, f.path, c.line(n.Pos()), "%s has no comment", n.Name)
				}
			}
		}
	}
}

func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// calls looks for time.Sleep in tests and for decisions by runtime.GOOS. In a
// bubble of synctest a sleep takes no time and is how time passes.
func (c *checker) calls(p *folder) {
	for _, f := range p.files {
		sleepless := f.test || within(p.path, testRoom)
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if selects(n.Fun, "synctest", "Test") {
					return false
				}
			case *ast.SelectorExpr:
				if sleepless && selects(n, "time", "Sleep") {
					c.report(RuleSleep, f.path, c.line(n.Pos()), "time.Sleep: wait for the event")
				}
			case *ast.BinaryExpr:
				if !f.platform && !f.test && (selects(n.X, "runtime", "GOOS") || selects(n.Y, "runtime", "GOOS")) {
					c.report(RuleGOOS, f.path, c.line(n.Pos()), "a decision by runtime.GOOS belongs in a platform file")
				}
			case *ast.SwitchStmt:
				if !f.platform && !f.test && n.Tag != nil && selects(n.Tag, "runtime", "GOOS") {
					c.report(RuleGOOS, f.path, c.line(n.Pos()), "a decision by runtime.GOOS belongs in a platform file")
				}
			}
			return true
		})
	}
}

func selects(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg
}
