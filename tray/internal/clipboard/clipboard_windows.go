package clipboard

import (
	"context"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

const (
	formatUnicode = 13 // CF_UNICODETEXT
	memMoveable   = 2  // GMEM_MOVEABLE, which the clipboard wants
)

var (
	user32       = windows.NewLazySystemDLL("user32.dll")
	open         = user32.NewProc("OpenClipboard")
	closeIt      = user32.NewProc("CloseClipboard")
	empty        = user32.NewProc("EmptyClipboard")
	set          = user32.NewProc("SetClipboardData")
	kernel32     = windows.NewLazySystemDLL("kernel32.dll")
	globalAlloc  = kernel32.NewProc("GlobalAlloc")
	globalFree   = kernel32.NewProc("GlobalFree")
	globalLock   = kernel32.NewProc("GlobalLock")
	globalUnlock = kernel32.NewProc("GlobalUnlock")
	moveMemory   = kernel32.NewProc("RtlMoveMemory")
)

// copyText hands the text over to the system, which keeps it.
func copyText(_ context.Context, text string) error {
	u, err := windows.UTF16FromString(text)
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	// The clipboard is open for a thread, not for a process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if ok, _, err := open.Call(0); ok == 0 {
		return fmt.Errorf("open the clipboard: %w", err)
	}
	defer closeIt.Call()
	if ok, _, err := empty.Call(); ok == 0 {
		return fmt.Errorf("empty the clipboard: %w", err)
	}
	size := uintptr(len(u)) * unsafe.Sizeof(u[0])
	mem, _, err := globalAlloc.Call(memMoveable, size)
	if mem == 0 {
		return fmt.Errorf("copy: %w", err)
	}
	at, _, err := globalLock.Call(mem)
	if at == 0 {
		globalFree.Call(mem)
		return fmt.Errorf("copy: %w", err)
	}
	moveMemory.Call(at, uintptr(unsafe.Pointer(&u[0])), size)
	globalUnlock.Call(mem)
	if ok, _, err := set.Call(formatUnicode, mem); ok == 0 {
		globalFree.Call(mem)
		return fmt.Errorf("fill the clipboard: %w", err)
	}
	return nil // the memory is the system's now
}
