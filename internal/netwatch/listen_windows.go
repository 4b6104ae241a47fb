package netwatch

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/windows"
)

// told is whom the system's callback tells. The callback is made once: the
// runtime has room for few of them, and keeps them for ever.
var told atomic.Pointer[func()]

var callback = sync.OnceValue(func() uintptr {
	return syscall.NewCallback(func(_, _ uintptr, _ uintptr) uintptr {
		if f := told.Load(); f != nil {
			(*f)()
		}
		return 0
	})
})

// listen lets the system call changed until ctx ends. One runs at a time.
func listen(ctx context.Context, changed func()) error {
	if !told.CompareAndSwap(nil, &changed) {
		return errors.New("somebody listens already")
	}
	defer told.Store(nil)
	var routes, addresses windows.Handle
	if err := windows.NotifyRouteChange2(windows.AF_UNSPEC, callback(), nil, false, &routes); err != nil {
		return err
	}
	defer windows.CancelMibChangeNotify2(routes)
	if err := windows.NotifyUnicastIpAddressChange(windows.AF_UNSPEC, callback(), nil, false, &addresses); err != nil {
		return err
	}
	defer windows.CancelMibChangeNotify2(addresses)
	<-ctx.Done()
	return nil
}
