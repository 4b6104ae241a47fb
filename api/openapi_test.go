package api_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
)

// schema is the part of JSON Schema that the document uses.
type schema struct {
	Ref                  string            `json:"$ref"`
	Type                 string            `json:"type"`
	Format               string            `json:"format"`
	Items                *schema           `json:"items"`
	Properties           map[string]schema `json:"properties"`
	Required             []string          `json:"required"`
	Enum                 []string          `json:"enum"`
	Examples             []string          `json:"examples"`
	AdditionalProperties *bool             `json:"additionalProperties"`
}

func schemas(t *testing.T) map[string]schema {
	t.Helper()
	var doc struct {
		OpenAPI    string `json:"openapi"`
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(api.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("openapi is %q", doc.OpenAPI)
	}
	return doc.Components.Schemas
}

// objects is every struct of the package; TestSchemasAreComplete keeps it so.
var objects = []any{
	api.Status{}, api.Event{}, api.Edge{}, api.Link{}, api.EdgeInput{}, api.Forward{}, api.Resuming{}, api.ForwardInput{}, api.ForwardPatch{},
	api.Tunnel{}, api.TunnelInput{}, api.TunnelPatch{}, api.Enrolment{}, api.EnrolmentInput{}, api.Login{}, api.LoginInput{},
	api.RedeemInput{}, api.Session{}, api.Person{}, api.App{}, api.Stream{}, api.StreamInput{}, api.Version{}, api.Problem{},
}

// Each struct and its schema have the same fields of the same types, and require
// the same ones.
func TestSchemasMatchTypes(t *testing.T) {
	t.Parallel()
	all := schemas(t)
	for _, v := range objects {
		typ := reflect.TypeOf(v)
		s, ok := all[typ.Name()]
		if !ok {
			t.Errorf("%s has no schema", typ.Name())
			continue
		}
		var required []string
		for i := range typ.NumField() {
			name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			p, ok := s.Properties[name]
			if want := describe(typ.Field(i).Type); !ok || show(p) != want {
				t.Errorf("%s.%s: the document says %q, the type %q", typ.Name(), name, show(p), want)
			}
			delete(s.Properties, name)
			if !strings.Contains(options, "omitempty") {
				required = append(required, name)
			}
		}
		for name := range s.Properties {
			t.Errorf("%s.%s is in the document only", typ.Name(), name)
		}
		if !slices.Equal(required, s.Required) {
			t.Errorf("%s requires %q in the document, %q in the type", typ.Name(), s.Required, required)
		}
		strict := strings.HasSuffix(typ.Name(), "Input") || strings.HasSuffix(typ.Name(), "Patch")
		if got := s.AdditionalProperties != nil && !*s.AdditionalProperties; got != strict {
			t.Errorf("%s: unknown fields refused: %v, want %v", typ.Name(), got, strict)
		}
	}
}

// describe says what the schema of a Go type looks like.
func describe(typ reflect.Type) string {
	switch {
	case typ == reflect.TypeFor[time.Time]():
		return "string date-time"
	case typ.Kind() == reflect.Pointer:
		return describe(typ.Elem())
	case typ.Kind() == reflect.Slice:
		return "array of " + describe(typ.Elem())
	case typ.PkgPath() == reflect.TypeFor[api.Status]().PkgPath():
		return "#/components/schemas/" + typ.Name()
	}
	switch typ.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Uint16, reflect.Uint64:
		return "integer"
	}
	return "nothing that JSON knows: " + typ.String()
}

func show(s schema) string {
	switch {
	case s.Ref != "":
		return s.Ref
	case s.Items != nil:
		return s.Type + " of " + show(*s.Items)
	case s.Format != "":
		return s.Type + " " + s.Format
	}
	return s.Type
}

// Every exported type of the package has a schema, no schema is without a type,
// and each enumeration has the constants of its type.
func TestSchemasAreComplete(t *testing.T) {
	t.Parallel()
	structs, enums := declared(t)
	all := schemas(t)
	for _, v := range objects {
		structs = slices.DeleteFunc(structs, func(s string) bool { return s == reflect.TypeOf(v).Name() })
	}
	if len(structs) > 0 {
		t.Errorf("not looked at: %q", structs)
	}
	for name, want := range enums {
		s := all[name]
		got := s.Enum
		if name == "Code" {
			got = s.Examples // an open list: a client must take codes of later daemons
		}
		if s.Type != "string" || !slices.Equal(got, want) {
			t.Errorf("%s: the document has %q, the package %q", name, got, want)
		}
		delete(all, name)
	}
	for _, v := range objects {
		delete(all, reflect.TypeOf(v).Name())
	}
	for name := range all {
		t.Errorf("%s is in the document only", name)
	}
}

// declared reads the package's own source: its structs, and the values of its
// string types.
func declared(t *testing.T) (structs []string, enums map[string][]string) {
	t.Helper()
	enums = map[string][]string{}
	for _, name := range []string{"nouns.go", "problem.go", "status.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range g.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if _, ok := s.Type.(*ast.StructType); ok && s.Name.IsExported() {
						structs = append(structs, s.Name.Name)
					}
				case *ast.ValueSpec:
					kind, isNamed := s.Type.(*ast.Ident)
					value, isText := literal(s)
					if isNamed && isText {
						enums[kind.Name] = append(enums[kind.Name], value)
					}
				}
			}
		}
	}
	return structs, enums
}

func literal(s *ast.ValueSpec) (string, bool) {
	if len(s.Values) != 1 {
		return "", false
	}
	l, ok := s.Values[0].(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	v, err := strconv.Unquote(l.Value)
	return v, err == nil
}

// Who gets the document cannot change it for others.
func TestOpenAPIIsACopy(t *testing.T) {
	t.Parallel()
	api.OpenAPI()[0] = 'x'
	if api.OpenAPI()[0] != '{' {
		t.Error("the document was changed")
	}
}
