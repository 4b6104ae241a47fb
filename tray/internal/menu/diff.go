package menu

// Change is one thing to alter of what is shown; exactly one field is not nil.
type Change struct {
	Icon    *Icon
	Tooltip *string
	Entry   *EntryChange
}

// EntryChange is the new content of a slot.
type EntryChange struct {
	Slot Slot
	Entry
}

// Diff is what leads from one menu to another, in the order of the slots. The
// zero Menu stands for nothing shown yet.
func Diff(before, after Menu) []Change {
	var changes []Change
	if before.Icon != after.Icon {
		changes = append(changes, Change{Icon: &after.Icon})
	}
	if before.Tooltip != after.Tooltip {
		changes = append(changes, Change{Tooltip: &after.Tooltip})
	}
	for i, e := range after.Entries {
		if before.Entries[i] != e {
			changes = append(changes, Change{Entry: &EntryChange{Slot: Slot(i), Entry: e}})
		}
	}
	return changes
}
