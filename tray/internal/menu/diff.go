package menu

// Change is one thing to alter of what is shown; exactly one field is not nil.
type Change struct {
	Icon    *Icon
	Tooltip *string
	Entry   *EntryChange
}

// EntryChange is the new content of a slot, and what was there before: a
// surface touches only what differs.
type EntryChange struct {
	Slot          Slot
	Before, After Entry
}

// Diff is what leads from one menu to another, in the order of the slots. The
// zero Menu stands for nothing shown yet. An entry whose action alone differs
// is no change.
func Diff(before, after Menu) []Change {
	var changes []Change
	if before.Icon != after.Icon {
		changes = append(changes, Change{Icon: &after.Icon})
	}
	if before.Tooltip != after.Tooltip {
		changes = append(changes, Change{Tooltip: &after.Tooltip})
	}
	for i := range after.Entries {
		b, a := before.Entries[i], after.Entries[i]
		if a.Text != b.Text || a.Checked != b.Checked || a.Enabled() != b.Enabled() {
			changes = append(changes, Change{Entry: &EntryChange{Slot: Slot(i), Before: b, After: a}})
		}
	}
	return changes
}
