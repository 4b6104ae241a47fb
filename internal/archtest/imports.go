package archtest

import (
	"slices"
	"strings"
)

func (c *checker) imports(p *folder) {
	room, layer, ok := c.room(p.path)
	if !ok {
		c.report(RuleNoLayer, p.files[0].path, 1, "package %s has no layer", p.path)
		return
	}
	for _, f := range p.files {
		for path, line := range c.tree.imports(f) {
			target, ours := strings.CutPrefix(path, c.Module+"/")
			standard := !strings.Contains(strings.Split(path, "/")[0], ".")
			if !standard && !f.test && slices.Contains(c.StandardOnly, p.path) {
				c.report(RuleStandard, f.path, line, "%s imports %s", p.path, path)
			}
			switch {
			case ours:
				c.inside(f, line, p.path, room, layer, target)
			case !standard:
				c.outside(f, line, room, path)
			}
		}
	}
}

// inside checks an import of one of our own packages. Tests may use neighbours
// (real ones rather than fakes), but never a layer above.
func (c *checker) inside(f *file, line int, pkg, room string, layer int, target string) {
	to, toLayer, ok := c.room(target)
	if !ok || to == room {
		return // a target without a layer is reported where it stands
	}
	if p := c.program(target); p != "" && c.program(pkg) != p {
		c.report(RuleProgram, f.path, line, "%s imports %s, a room of another program", pkg, target)
	}
	if who, limited := c.Contracts[to]; limited && c.program(pkg) != "" && !slices.Contains(who, c.program(pkg)) {
		c.report(RuleContract, f.path, line, "%s imports %s, which only %v know", pkg, target, who)
	}
	switch {
	case toLayer < layer:
	case toLayer > layer:
		c.report(RuleLayer, f.path, line, "%s (layer %d) imports %s (layer %d)", pkg, layer, target, toLayer)
	case !f.test && !c.reason(room, to):
		c.report(RuleNeighbour, f.path, line, "%s imports %s of its own layer %d", pkg, target, layer)
	}
}

func (c *checker) reason(from, to string) bool {
	for _, n := range c.Neighbours {
		if n.From == from && n.To == to && n.Reason != "" {
			c.used[n] = true
			return true
		}
	}
	return false
}

func (c *checker) outside(f *file, line int, room, path string) {
	var module string
	for m := range c.Modules {
		if within(path, m) && len(m) > len(module) {
			module = m
		}
	}
	if module == "" {
		c.report(RuleModule, f.path, line, "%s is no module of the house: add its room and a decision record", path)
		return
	}
	for _, r := range c.Modules[module] {
		if r == Anywhere || within(room, r) {
			return
		}
	}
	c.report(RuleModule, f.path, line, "%s belongs to %v, not to %s", module, c.Modules[module], room)
}
