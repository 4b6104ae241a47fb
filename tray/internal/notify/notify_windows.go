package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The tray library has the window and the icon; a balloon is shown by naming
// both. Their names are those of fyne.io/systray v1.12.2.
const (
	windowClass = "SystrayClass"
	iconID      = 100
	iconMessage = 0x0400 + 1 // WM_USER + 1: what the icon sends to its window

	nimModify        = 1
	nifInfo          = 0x10
	niifInfo         = 1
	balloonClick     = 0x0400 + 5 // NIN_BALLOONUSERCLICK
	gwlpWndProc      = ^uintptr(3)
	maxText, maxHead = 255, 63 // what the structure holds, without the final zero
)

var (
	user32           = windows.NewLazySystemDLL("user32.dll")
	findWindowEx     = user32.NewProc("FindWindowExW")
	getWindowLongPtr = user32.NewProc("GetWindowLongPtrW")
	setWindowLongPtr = user32.NewProc("SetWindowLongPtrW")
	callWindowProc   = user32.NewProc("CallWindowProcW")
	shellNotifyIcon  = windows.NewLazySystemDLL("shell32.dll").NewProc("Shell_NotifyIconW")
)

// notifyIconData is NOTIFYICONDATAW.
type notifyIconData struct {
	Size                       uint32
	Wnd                        windows.HWND
	ID, Flags, CallbackMessage uint32
	Icon                       windows.Handle
	Tip                        [128]uint16
	State, StateMask           uint32
	Info                       [256]uint16
	Timeout                    uint32
	InfoTitle                  [64]uint16
	InfoFlags                  uint32
	GUID                       windows.GUID
	BalloonIcon                windows.Handle
}

// Desktop shows balloons at the tray's icon. Windows shows one at a time.
type Desktop struct {
	pressed chan string
	shown   atomic.Pointer[string] // the key of the newest
	window  windows.HWND           // of the icon; 0 until it is there
}

// current is whose window procedure is hooked: there is one tray a process.
var current atomic.Pointer[Desktop]

// previous is the window procedure that the hook passes everything on to.
var previous uintptr

// Open connects to nothing yet: the icon need not be there.
func Open(*slog.Logger) (*Desktop, error) {
	return &Desktop{pressed: make(chan string, pressedBacklog)}, nil
}

// Close forgets the balloon; the window ends with the tray.
func (d *Desktop) Close() error {
	current.CompareAndSwap(d, nil)
	return nil
}

// Pressed gives the key of each note that is clicked.
func (d *Desktop) Pressed() <-chan string { return d.pressed }

// Ended never is: Windows ends the tray with the session.
func (*Desktop) Ended() <-chan struct{} { return nil }

// Show shows a note.
func (d *Desktop) Show(_ context.Context, n Note) error {
	if err := d.hook(); err != nil {
		return fmt.Errorf("show a notification: %w", err)
	}
	text := n.Text
	if n.Button != "" {
		text += "\n" + n.Button + ": click here."
	}
	nid := notifyIconData{Wnd: d.window, ID: iconID, Flags: nifInfo, InfoFlags: niifInfo}
	nid.Size = uint32(unsafe.Sizeof(nid))
	put(nid.Info[:], text, maxText)
	put(nid.InfoTitle[:], n.Title, maxHead)
	d.shown.Store(&n.Key)
	if ok, _, err := shellNotifyIcon.Call(nimModify, uintptr(unsafe.Pointer(&nid))); ok == 0 {
		return fmt.Errorf("show a notification: %w", err)
	}
	return nil
}

// put writes text as far as it fits, with a final zero.
func put(dst []uint16, text string, most int) {
	u, err := windows.UTF16FromString(text)
	if err != nil {
		return // a NUL inside; the balloon stays empty
	}
	n := copy(dst[:most], u)
	dst[n] = 0
}

// hook finds the icon's window of this process and listens to its messages.
func (d *Desktop) hook() error {
	if d.window != 0 {
		return nil
	}
	class, err := windows.UTF16PtrFromString(windowClass)
	if err != nil {
		return err
	}
	for w := uintptr(0); ; {
		w, _, _ = findWindowEx.Call(0, w, uintptr(unsafe.Pointer(class)), 0)
		if w == 0 {
			return errors.New("the tray's icon is not there yet")
		}
		var pid uint32
		if _, err := windows.GetWindowThreadProcessId(windows.HWND(w), &pid); err == nil && pid == windows.GetCurrentProcessId() {
			d.window = windows.HWND(w)
			break
		}
	}
	if !current.CompareAndSwap(nil, d) {
		return nil // hooked already
	}
	// The hook runs as soon as it is set, so it must know before what to pass
	// messages on to.
	old, _, err := getWindowLongPtr.Call(uintptr(d.window), gwlpWndProc)
	if old == 0 {
		return fmt.Errorf("listen to the icon's window: %w", err)
	}
	atomic.StoreUintptr(&previous, old)
	if old, _, err := setWindowLongPtr.Call(uintptr(d.window), gwlpWndProc, windows.NewCallback(windowProc)); old == 0 {
		return fmt.Errorf("listen to the icon's window: %w", err)
	}
	return nil
}

// windowProc sees a click on a balloon, and passes everything on.
func windowProc(window, message, wParam, lParam uintptr) uintptr {
	if d := current.Load(); d != nil && message == iconMessage && lParam == balloonClick {
		if key := d.shown.Load(); key != nil {
			tell(d.pressed, *key)
		}
	}
	result, _, _ := callWindowProc.Call(atomic.LoadUintptr(&previous), window, message, wParam, lParam)
	return result
}
