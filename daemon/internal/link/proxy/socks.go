package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
)

const (
	socksVersion  = 5
	methodNone    = 0
	methodUser    = 2
	methodsRefuse = 0xff
	userVersion   = 1
	commandDial   = 1
	addrIPv4      = 1
	addrName      = 3
	addrIPv6      = 4
)

var errNotSOCKS = errors.New("its answer is not SOCKS 5")

// socksReplies are the refusals of RFC 1928 section 6.
var socksReplies = map[byte]string{
	1: "it failed", 2: "its rules do not allow it", 3: "it has no route there", 4: "it does not reach that host",
	5: "the connection was refused there", 6: "the way is too long", 7: "it does not know how to connect", 8: "it does not know that kind of address",
}

// socks asks a SOCKS 5 proxy for a way to target. Names are looked up there.
func socks(c net.Conn, user *url.Userinfo, target string) error {
	methods := []byte{methodNone}
	if user != nil {
		methods = append(methods, methodUser)
	}
	if _, err := c.Write(append([]byte{socksVersion, byte(len(methods))}, methods...)); err != nil {
		return err
	}
	var chosen [2]byte
	if _, err := io.ReadFull(c, chosen[:]); err != nil {
		return err
	}
	switch {
	case chosen[0] != socksVersion:
		return errNotSOCKS
	case chosen[1] == methodUser && user != nil:
		if err := socksUser(c, user); err != nil {
			return err
		}
	case chosen[1] == methodsRefuse:
		return &Error{Kind: Credentials, Said: "it asks for a user and a password, or for others"}
	case chosen[1] != methodNone:
		return errNotSOCKS
	}
	return socksDial(c, target)
}

func socksUser(c net.Conn, user *url.Userinfo) error {
	name := user.Username()
	password, _ := user.Password()
	if name == "" || len(name) > 255 || len(password) > 255 {
		return &Error{Kind: Credentials, Said: "user and password have at most 255 bytes each"}
	}
	b := append([]byte{userVersion, byte(len(name))}, name...)
	b = append(append(b, byte(len(password))), password...)
	if _, err := c.Write(b); err != nil {
		return err
	}
	var said [2]byte
	if _, err := io.ReadFull(c, said[:]); err != nil {
		return err
	}
	if said[1] != 0 {
		return &Error{Kind: Credentials, Said: "it does not take this user and password"}
	}
	return nil
}

func socksDial(c net.Conn, target string) error {
	host, ip, port, err := split(target)
	if err != nil {
		return err
	}
	b := []byte{socksVersion, commandDial, 0}
	switch {
	case ip.Is4():
		b = append(append(b, addrIPv4), ip.AsSlice()...)
	case ip.Is6():
		b = append(append(b, addrIPv6), ip.AsSlice()...)
	case len(host) > 255:
		return fmt.Errorf("a name of %d bytes", len(host))
	default:
		b = append(append(b, addrName, byte(len(host))), host...)
	}
	if _, err := c.Write(binary.BigEndian.AppendUint16(b, port)); err != nil {
		return err
	}
	var head [5]byte // version, reply, 0, kind of address, its first byte
	if _, err := io.ReadFull(c, head[:4]); err != nil {
		return err
	}
	if head[0] != socksVersion {
		return errNotSOCKS
	}
	if head[1] != 0 {
		said := socksReplies[head[1]]
		if said == "" {
			said = fmt.Sprintf("it answered %d", head[1])
		}
		return &Error{Kind: Refused, Said: said}
	}
	rest := 2 // the port
	switch head[3] {
	case addrIPv4:
		rest += 4
	case addrIPv6:
		rest += 16
	case addrName:
		if _, err := io.ReadFull(c, head[4:]); err != nil {
			return err
		}
		rest += int(head[4])
	default:
		return errNotSOCKS
	}
	_, err = io.CopyN(io.Discard, c, int64(rest))
	return err
}
