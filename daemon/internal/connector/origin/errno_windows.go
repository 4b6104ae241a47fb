package origin

import "golang.org/x/sys/windows"

// errnoRefused is Winsock's word for a closed port.
const errnoRefused = windows.WSAECONNREFUSED
