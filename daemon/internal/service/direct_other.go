//go:build !windows

package service

import "context"

// RunService is Run: only the Service Control Manager wants to be spoken to.
func RunService(run func(ctx context.Context) error) error { return Run(run) }
