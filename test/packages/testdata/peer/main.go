// Program peer is what the test of Windows runs there: it dials an address and
// stays. Where it is cut off it tries again: Wine knows the process of a socket
// only some moments after that has used it.
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

// stay ends it where nobody does.
const stay = 5 * time.Minute

func main() {
	time.AfterFunc(stay, func() { os.Exit(0) })
	for {
		fmt.Println(dial(os.Args[1]))
		time.Sleep(time.Second)
	}
}

// dial returns when the connection is cut off.
func dial(addr string) error {
	c, err := net.Dial("tcp4", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
}
