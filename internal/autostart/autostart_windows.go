package autostart

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows/registry"
)

const suffix = ".exe"

const (
	// runKey starts programs at login: the machine's for everybody, the
	// person's own for them.
	runKey   = `Software\Microsoft\Windows\CurrentVersion\Run`
	runValue = "Sallyport"
	// choiceKey holds that a person wants no tray although the machine's key
	// starts it: nobody but an administrator can change that key.
	choiceKey   = `Software\Sallyport`
	choiceValue = "NoTrayAtLogin"
)

// Entry is the command line that starts the tray.
func Entry(tray string) string { return `"` + tray + `"` }

func enabled() (bool, error) {
	off, err := has(registry.CURRENT_USER, choiceKey, choiceValue)
	if err != nil || off {
		return false, err
	}
	own, err := has(registry.CURRENT_USER, runKey, runValue)
	if err != nil || own {
		return own, err
	}
	return has(registry.LOCAL_MACHINE, runKey, runValue)
}

func has(root registry.Key, path, value string) (bool, error) {
	k, err := registry.OpenKey(root, path, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("start at login: %w", err)
	}
	defer k.Close()
	_, _, err = k.GetValue(value, nil)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func set(on bool, tray string) error {
	everybody, err := has(registry.LOCAL_MACHINE, runKey, runValue)
	if err != nil {
		return err
	}
	if on && !everybody {
		err = put(runKey, runValue, Entry(tray))
	} else {
		err = drop(runKey, runValue)
	}
	if err != nil {
		return err
	}
	if !on && everybody {
		return put(choiceKey, choiceValue, "1")
	}
	return drop(choiceKey, choiceValue)
}

func put(path, name, value string) error {
	k, _, err := registry.CreateKey(registry.CURRENT_USER, path, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	defer k.Close()
	if err := k.SetStringValue(name, value); err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	return nil
}

func drop(path, name string) error {
	k, err := registry.OpenKey(registry.CURRENT_USER, path, registry.SET_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	defer k.Close()
	if err := k.DeleteValue(name); err != nil && !errors.Is(err, registry.ErrNotExist) {
		return fmt.Errorf("start at login: %w", err)
	}
	return nil
}
