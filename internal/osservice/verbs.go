package osservice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kardianos/service"
)

// Install makes it start at every boot, starts it, and returns when it serves.
func (c *Control) Install(ctx context.Context) error {
	if err := c.allowed(); err != nil {
		return err
	}
	if err := checkProgram(c.Program); err != nil {
		return err
	}
	if err := EnsureAccount("", c.Account, c.Service.State); err != nil {
		return err
	}
	changed, err := c.register()
	if err != nil {
		return err
	}
	if state, _ := c.State(); state == Running && !changed {
		fmt.Fprintf(c.say, "%s is installed and running already\n", c.Name)
		return c.await(ctx)
	}
	if err := c.Restart(ctx); err != nil {
		return err
	}
	fmt.Fprintf(c.say, "%s is installed and starts at every boot\n", c.Name)
	return nil
}

// Uninstall stops it and takes it from the manager. State stays.
func (c *Control) Uninstall(ctx context.Context) error {
	if err := c.allowed(); err != nil {
		return err
	}
	state, err := c.State()
	if err != nil {
		return err
	}
	if state == NotInstalled {
		fmt.Fprintf(c.say, "%s is not installed\n", c.Name)
		return c.unlink()
	}
	if unit := c.packaged(); unit != "" {
		if err := systemctl("disable", "--quiet", "--now", c.Name+".service"); err != nil {
			return err
		}
		fmt.Fprintf(c.say, "%s is stopped and disabled; its unit %s belongs to a package: remove that to be rid of it\n", c.Name, unit)
		return nil
	}
	if err := c.unregister(); err != nil {
		return fmt.Errorf("uninstall %s: %w", c.Name, err)
	}
	fmt.Fprintf(c.say, "%s is uninstalled; its state is still in %s\n", c.Name, c.Service.State)
	return nil
}

// Start returns when it serves.
func (c *Control) Start(ctx context.Context) error { return c.do(ctx, c.library.Start, "started") }

// Restart stops it where it runs, and returns when it serves again.
func (c *Control) Restart(ctx context.Context) error {
	if state, _ := c.State(); state == Running {
		return c.do(ctx, c.library.Restart, "restarted")
	}
	return c.Start(ctx)
}

func (c *Control) do(ctx context.Context, f func() error, word string) error {
	if err := c.installed(); err != nil {
		return err
	}
	if onSystemd() { // an upgrade may have brought another unit
		if err := systemctl("daemon-reload"); err != nil {
			return err
		}
	}
	if err := f(); err != nil {
		return fmt.Errorf("%s was not %s: %w; its log: %s", c.Name, word, err, c.LogPlace())
	}
	if err := c.await(ctx); err != nil {
		return err
	}
	fmt.Fprintf(c.say, "%s is %s; its log: %s\n", c.Name, word, c.LogPlace())
	return nil
}

// Stop ends it until the next start or boot.
func (c *Control) Stop(context.Context) error {
	if err := c.installed(); err != nil {
		return err
	}
	if state, err := c.State(); err == nil && state == Stopped {
		fmt.Fprintf(c.say, "%s is stopped already\n", c.Name)
		return nil
	}
	if err := c.library.Stop(); err != nil {
		return fmt.Errorf("stop %s: %w", c.Name, err)
	}
	fmt.Fprintf(c.say, "%s is stopped\n", c.Name)
	return nil
}

// installed refuses what would only make the manager complain.
func (c *Control) installed() error {
	if err := c.allowed(); err != nil {
		return err
	}
	if state, err := c.State(); err != nil {
		return err
	} else if state == NotInstalled {
		return fmt.Errorf("%s is not installed as a service: %s service install", c.Name, c.Program)
	}
	return nil
}

// State asks the manager.
func (c *Control) State() (State, error) {
	if state, known := c.asked(); known {
		return state, nil
	}
	status, err := c.library.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled), err != nil && !c.known():
		return NotInstalled, nil
	case err != nil && onSystemd(): // the library's word for a failed unit is an error
		return Failed, nil
	case err != nil:
		return Stopped, nil // a SysV script that is there and answers "stopped" by its code
	case status == service.StatusRunning:
		return Running, nil
	}
	return Stopped, nil
}

// await returns when the program serves.
func (c *Control) await(ctx context.Context) error {
	if c.ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	const every = 100 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last error
	for {
		err := c.ready(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err // and not that the time is over
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s does not serve: %w; its log: %s", c.Name, last, c.LogPlace())
		}
	}
}

// allowed is an error for whom the manager would refuse anyway.
func (c *Control) allowed() error {
	if !administrator() {
		return ErrNotAdministrator
	}
	return nil
}
