// Package menu says what the tray shows. It is pure: Build makes a Menu of a
// View, Diff the changes from one Menu to the next.
//
// Shapes: a View is the daemon's status with the few things that the tray knows
// besides. A Menu is an icon, a tooltip and a fixed row of slots, since the
// menus of desktops can change entries but not insert them. An Entry says what
// a click on it does: an Action, which package ui carries out.
//
// Units and limits: the groups of slots have fixed sizes (MaxForwards, MaxApps,
// MaxEdges): what fits on a screen. Where there is more, an entry names the
// command that shows all.
package menu
