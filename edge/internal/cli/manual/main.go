// Program manual writes the man page of sallyport-edge to standard output, for the
// packages.
package main

import (
	"os"

	"github.com/sallyport/sallyport/edge/internal/cli"
	"github.com/sallyport/sallyport/internal/manual"
)

func main() {
	if _, err := os.Stdout.Write(manual.Page(cli.Command())); err != nil {
		os.Exit(1)
	}
}
