package link

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain holds every test to leaving no goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
