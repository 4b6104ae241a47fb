package ipc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	winio "github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

const (
	// clientAccess is read and write of data and attributes, without the right
	// to make a further instance of the pipe (FILE_CREATE_PIPE_INSTANCE), which
	// generic write would contain.
	clientAccess = 0x0012019b
	// pipeBuffer: with 0 a client's write blocks until it is read.
	pipeBuffer = 64 << 10
)

// IsRefused says whether a Dial failed because no daemon serves the path.
func IsRefused(err error) bool { return errors.Is(err, windows.ERROR_FILE_NOT_FOUND) }

func listen(path string, o Options) (net.Listener, error) {
	self, err := ownSID()
	if err != nil {
		return nil, err
	}
	// SYSTEM, Administrators and the daemon's own user: all. Network logons:
	// nothing. For the machine's daemon, whoever is logged in may connect.
	sddl := fmt.Sprintf("D:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;%s)", self)
	if o.Machine {
		sddl += fmt.Sprintf("(A;;%#x;;;AU)", clientAccess)
	}
	// Message mode is what makes go-winio offer CloseWrite. It creates the
	// first instance, and fails where the name is taken: nobody can squat it.
	l, err := winio.ListenPipe(path, &winio.PipeConfig{
		SecurityDescriptor: sddl, MessageMode: true,
		InputBufferSize: pipeBuffer, OutputBufferSize: pipeBuffer,
	})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_PIPE_BUSY) {
		return nil, ErrInUse
	}
	if err == nil {
		fillFirst(path)
	}
	return l, err
}

// firstWait: where nothing needs to be filled, every instance is busy, and a
// dial waits in vain.
const firstWait = 20 * time.Millisecond

// fillFirst connects to the instance that go-winio makes to hold the name and
// never serves. Where the system gives it to a client (Windows 7, Wine), that
// client would wait for ever.
func fillFirst(path string) {
	ctx, cancel := context.WithTimeout(context.Background(), firstWait)
	defer cancel()
	if c, err := dial(ctx, path); err == nil {
		c.Close() // an error is as good: no client gets it either
	}
}

// dial lets the server identify this user and not act as it.
func dial(ctx context.Context, path string) (net.Conn, error) {
	return winio.DialPipeAccessImpLevel(ctx, path, clientAccess, winio.PipeImpLevelIdentification)
}

func peer(c net.Conn) (Identity, error) {
	token, pid, err := processToken(c, windows.GetNamedPipeClientProcessId)
	if err != nil {
		return Identity{}, err
	}
	defer token.Close()
	u, err := token.GetTokenUser()
	if err != nil {
		return Identity{}, fmt.Errorf("user of process %d: %w", pid, err)
	}
	self, err := ownSID()
	if err != nil {
		return Identity{}, err
	}
	id := Identity{UID: u.User.Sid.String(), Name: nameOf(u.User.Sid), Root: u.User.Sid.IsWellKnown(windows.WinLocalSystemSid), PID: int(pid)}
	id.Administrator = id.Root || strings.EqualFold(id.UID, self) || isAdministrator(token)
	return id, nil
}

func trustedServer(c net.Conn, _ []string) (ok bool, who string, err error) {
	token, pid, err := processToken(c, windows.GetNamedPipeServerProcessId)
	if err != nil {
		return false, "", err
	}
	defer token.Close()
	u, err := token.GetTokenUser()
	if err != nil {
		return false, "", fmt.Errorf("user of process %d: %w", pid, err)
	}
	self, err := ownSID()
	if err != nil {
		return false, "", err
	}
	sid := u.User.Sid
	ok = strings.EqualFold(sid.String(), self) || sid.IsWellKnown(windows.WinLocalSystemSid) ||
		sid.IsWellKnown(windows.WinLocalServiceSid) || sid.IsWellKnown(windows.WinNetworkServiceSid)
	return ok, "user " + nameOf(sid), nil
}

// processToken opens the token of the process at the other end of a pipe. The
// process id is read again once the process is open: an id that had been given
// to another process in between is then found out, because the process that
// holds the pipe keeps its id.
func processToken(c net.Conn, processID func(windows.Handle, *uint32) error) (windows.Token, uint32, error) {
	f, ok := c.(interface{ Fd() uintptr })
	if !ok {
		return 0, 0, fmt.Errorf("%T is no pipe", c)
	}
	pipe := windows.Handle(f.Fd())
	var pid, again uint32
	if err := processID(pipe, &pid); err != nil {
		return 0, 0, fmt.Errorf("process of the pipe: %w", err)
	}
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE, false, pid)
	if err != nil {
		return 0, 0, fmt.Errorf("open process %d: %w", pid, err)
	}
	defer windows.CloseHandle(process)
	if err := processID(pipe, &again); err != nil || again != pid {
		return 0, 0, fmt.Errorf("process of the pipe changed from %d to %d: %w", pid, again, errors.Join(err, ErrNoIdentity))
	}
	if event, err := windows.WaitForSingleObject(process, 0); err != nil || event != uint32(windows.WAIT_TIMEOUT) {
		return 0, 0, fmt.Errorf("process %d has ended", pid)
	}
	var token windows.Token
	if err := windows.OpenProcessToken(process, windows.TOKEN_QUERY|windows.TOKEN_DUPLICATE, &token); err != nil {
		return 0, 0, fmt.Errorf("token of process %d: %w", pid, err)
	}
	return token, pid, nil
}

// isAdministrator is true for a token in which Administrators is enabled: an
// administrator's ordinary, filtered token is not one.
func isAdministrator(token windows.Token) bool {
	sid, err := windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid)
	if err != nil {
		return false
	}
	var dup windows.Token // membership is asked of an impersonation token
	if err := windows.DuplicateTokenEx(token, windows.TOKEN_QUERY, nil, windows.SecurityIdentification, windows.TokenImpersonation, &dup); err != nil {
		return false
	}
	defer dup.Close()
	member, err := dup.IsMember(sid)
	return err == nil && member
}

func ownSID() (string, error) {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", fmt.Errorf("own user: %w", err)
	}
	return u.User.Sid.String(), nil
}

func nameOf(sid *windows.SID) string {
	account, domain, _, err := sid.LookupAccount("")
	if err != nil {
		return sid.String()
	}
	if domain == "" {
		return account
	}
	return domain + `\` + account
}
