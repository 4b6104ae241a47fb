//go:build linux

package packages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/test/walker"
)

// helperEnv makes this test's binary a helper inside the machine that is
// tested, where there is nothing else to dial, listen or sign in with.
const helperEnv = "SALLYPORT_PACKAGES_HELPER"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(helperEnv) != "":
	case lacks() != "":
		os.Exit(m.Run())
	case os.Getenv(aloneEnv) == "":
		os.Exit(runAlone())
	default:
		if err := settleAlone(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := help(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func help(ctx context.Context, args []string) error {
	switch args[0] {
	case "origin":
		return echoServer(args[1])
	case "say":
		return say(args[1], args[2])
	case "login":
		r, err := walker.Login(ctx, walker.NewClient(nil), args[1], args[2], args[3])
		if err == nil {
			fmt.Println(r.ApprovalCode)
		}
		return err
	}
	return errors.New("unknown helper")
}

// echoServer gives back what it is sent.
func echoServer(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() { defer c.Close(); io.Copy(c, c) }() // ends with its connection
	}
}

// say sends a text and prints what comes back.
func say(addr, text string) error {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	back, err := io.ReadAll(c)
	fmt.Print(string(back))
	if err == nil && string(back) != text {
		err = fmt.Errorf("%d bytes came back", len(back))
	}
	return err
}
