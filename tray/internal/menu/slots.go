package menu

// How many entries the groups have: what fits on a screen of 768 lines together
// with the rest.
const (
	MaxForwards = 8
	MaxApps     = 6
	MaxEdges    = 5
)

// Slot is the place of an entry, from the top.
type Slot int

// The slots in their order. Lines stand between the groups. There are no
// submenus: panels of GTK 3 show one empty whose entries came after it.
const (
	SlotHeadline Slot = iota
	SlotWho
	SlotNote

	// Each forward has two slots: the forward itself, and what is wrong with it.
	SlotForward
	slotForwardsEnd = SlotForward + 2*MaxForwards - 1
	SlotMore        = slotForwardsEnd + 1
	SlotCopy        = SlotMore + 1           // MaxForwards slots
	SlotAdd         = SlotCopy + MaxForwards // MaxApps slots
	SlotPause       = SlotAdd + MaxApps

	SlotSignIn    = SlotPause + 1
	SlotElsewhere = SlotSignIn + 1
	SlotSignOut   = SlotElsewhere + 1
	SlotEdge      = SlotSignOut + 1 // MaxEdges slots
	SlotPortal    = SlotEdge + MaxEdges

	SlotAutostart = SlotPortal + 1
	SlotAbout     = SlotAutostart + 1
	SlotQuit      = SlotAbout + 1

	Slots = int(SlotQuit) + 1
)

// ForwardSlot is the slot of a forward, ProblemSlot that of what is wrong with it.
func ForwardSlot(i int) Slot { return SlotForward + Slot(2*i) }

// ProblemSlot is the slot of what is wrong with a forward.
func ProblemSlot(i int) Slot { return ForwardSlot(i) + 1 }

// Checkable says whether a slot's entries may have a tick. Linux must know when
// the entry is made.
func Checkable(s Slot) bool {
	if s >= SlotForward && s <= slotForwardsEnd {
		return (s-SlotForward)%2 == 0
	}
	return s == SlotAutostart || s >= SlotEdge && s < SlotEdge+MaxEdges
}

// Line says whether a line stands before a slot.
func Line(s Slot) bool { return s == SlotForward || s == SlotSignIn || s == SlotAutostart }
