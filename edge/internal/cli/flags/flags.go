// Package flags has the flags of the edge's commands that are more than a text or
// a number.
package flags

import (
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/config/names"
)

// ruleFlag is --allow or --deny; both add to one list, so that their order counts.
type ruleFlag struct {
	action string
	rules  *[]adminapi.Rule
}

var _ pflag.Value = ruleFlag{}

// Set adds a rule of one selector.
func (f ruleFlag) Set(text string) error {
	s, err := names.ParseSelector(text)
	if err != nil {
		return err
	}
	*f.rules = append(*f.rules, adminapi.Rule{Action: f.action, Selectors: []string{s.String()}})
	return nil
}

// String is the default, which help shows: none.
func (f ruleFlag) String() string { return "" }

// Type is what help calls the value.
func (f ruleFlag) Type() string { return "WHO" }

// Rules adds --allow and --deny.
func Rules(f *pflag.FlagSet, rules *[]adminapi.Rule) {
	f.Var(ruleFlag{"allow", rules}, "allow", "who is allowed: everyone, email:X, domain:X or group:X (may be repeated)")
	f.Var(ruleFlag{"deny", rules}, "deny", "who is denied, in the same form; the order of all --allow and --deny counts")
}

// Resume is --resume-window: a duration, or 0.
type Resume struct {
	// MS is nil where the flag is not there.
	MS *int64
}

var _ pflag.Value = (*Resume)(nil)

// Set takes a duration, or 0 for none.
func (f *Resume) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > 0 && d < time.Second {
		return errors.New("write a duration from 1s on, such as 5m, or 0 for none")
	}
	f.MS = new(d.Milliseconds())
	return nil
}

// String is the default, which help shows: none.
func (f *Resume) String() string { return "" }

// Type is what help calls the value.
func (f *Resume) Type() string { return "DURATION" }

// Into adds the flag.
func (f *Resume) Into(flags *pflag.FlagSet) {
	flags.Var(f, "resume-window", "how long a connection may wait for another way when its own is lost; 0 is not at all (default 5m)")
}
