package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// kind is what a value of the file is.
type kind string

const (
	kindNull    kind = "nothing"
	kindText    kind = "text"
	kindInteger kind = "a number"
	kindOther   kind = "a value of another kind"
	kindList    kind = "a list"
	kindMapping kind = "a mapping"
)

// value is one value of the file with its line.
type value struct {
	line    int
	kind    kind
	text    string  // text and integers
	list    []value // lists
	entries []entry // mappings
}

type entry struct {
	key  string
	line int
	value
}

// parse is all that knows the YAML library. Its own messages may repeat lines of
// the file, so only what it says about the kind of fault is kept.
func parse(data []byte) (value, *Fault) {
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey()) // repeated keys are ours to tell
	if err != nil {
		f := &Fault{Problem: "this is not YAML: check the indentation, quotes and colons of this line and the one before"}
		var ye yaml.Error
		if errors.As(err, &ye) && ye.GetToken() != nil && ye.GetToken().Position != nil {
			f.Line = ye.GetToken().Position.Line
		}
		return value{}, f
	}
	switch {
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		return value{line: 1, kind: kindMapping}, nil
	case len(file.Docs) > 1:
		return value{}, &Fault{Problem: "the file holds several documents; keep one, without --- between"}
	}
	v := convert(file.Docs[0].Body)
	if v.kind == kindNull || file.Docs[0].Body.Type() == ast.CommentType {
		v.kind = kindMapping // an empty file
	}
	return v, nil
}

func convert(n ast.Node) value {
	v := value{kind: kindOther, line: lineOf(n)}
	switch n := n.(type) {
	case *ast.NullNode:
		v.kind = kindNull
	case *ast.StringNode:
		v.kind, v.text = kindText, n.Value
	case *ast.LiteralNode:
		v.kind, v.text = kindText, n.Value.Value
	case *ast.IntegerNode:
		v.kind, v.text = kindInteger, fmt.Sprint(n.Value)
	case *ast.SequenceNode:
		v.kind = kindList
		for _, one := range n.Values {
			v.list = append(v.list, convert(one))
		}
	case *ast.MappingNode:
		v.kind = kindMapping
		for _, one := range n.Values {
			v.entries = append(v.entries, entryOf(one))
		}
	case *ast.MappingValueNode:
		v.kind, v.entries = kindMapping, []entry{entryOf(n)}
	}
	return v
}

func entryOf(n *ast.MappingValueNode) entry {
	e := entry{key: strings.Trim(n.Key.GetToken().Value, `"'`), line: lineOf(n.Key)}
	if n.Value == nil {
		e.value = value{kind: kindNull, line: e.line}
		return e
	}
	e.value = convert(n.Value)
	e.value.line = e.line // the line that a person looks for is that of the key
	return e
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}
