package view

import (
	"io"
	"strings"
	"unicode/utf8"
)

// gap separates two columns; indent stands before the notes of a row.
const (
	gap    = "  "
	indent = "    "
)

// table is rows of cells, each with notes below it. The first row is the head.
type table struct{ rows []row }

type row struct {
	cells []string
	notes []string
}

func newTable(head ...string) *table { return &table{rows: []row{{cells: head}}} }

func (t *table) row(cells ...string) *table {
	t.rows = append(t.rows, row{cells: cells})
	return t
}

// note adds a line below the last row.
func (t *table) note(lines ...string) *table {
	last := &t.rows[len(t.rows)-1]
	last.notes = append(last.notes, lines...)
	return t
}

// write writes the table, columns as wide as their widest cell. A table without
// rows below the head is not written.
func (t *table) write(w io.Writer) {
	if len(t.rows) < 2 {
		return
	}
	widths := make([]int, len(t.rows[0].cells))
	for _, r := range t.rows {
		for i, c := range r.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(Clean(c)))
		}
	}
	var b strings.Builder
	for _, r := range t.rows {
		line := ""
		for i, c := range r.cells {
			c = Clean(c)
			line += c + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)) + gap
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
		for _, n := range r.notes {
			b.WriteString(indent + Clean(n) + "\n")
		}
	}
	io.WriteString(w, b.String())
}
