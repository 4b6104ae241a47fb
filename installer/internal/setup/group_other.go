//go:build !darwin

package setup

func groupName(name string) string { return name }
