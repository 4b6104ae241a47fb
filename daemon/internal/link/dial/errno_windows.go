package dial

import "golang.org/x/sys/windows"

// What a connect meets, in Winsock's numbers.
const (
	errnoRefused = windows.WSAECONNREFUSED
	errnoReset   = windows.WSAECONNRESET
	errnoAborted = windows.WSAECONNABORTED
	errnoNoHost  = windows.WSAEHOSTUNREACH
	errnoNoNet   = windows.WSAENETUNREACH
	errnoTimeout = windows.WSAETIMEDOUT
)
