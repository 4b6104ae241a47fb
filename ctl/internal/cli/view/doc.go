// Package view puts the objects of the local API into words and tables for a
// person at a terminal. It is pure: objects and a time in, text out.
//
// Shapes: one function writes one kind of object; Status writes all of them.
// Each object with a problem is followed by its sentence and its hint, so that
// nothing is told by a word alone or by a colour. Changes are the lines of the
// foreground commands.
//
// Texts that come from an edge, a provider or a file name go through Clean, so
// that none of them can write to the terminal what only we may.
package view
