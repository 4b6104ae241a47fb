//go:build !windows

package service

import (
	"context"
	"log/slog"
)

// RunService is Run: only the Service Control Manager wants to be spoken to.
func RunService(_ *slog.Logger, run func(ctx context.Context) error) error { return Run(run) }
