package explain

import (
	"errors"
	"fmt"
	"time"
)

// Config holds the few numbers of scoring and search. They are the same for every estate; the
// formulas are in correlate/DESIGN.md.
type Config struct {
	// Window is how long after the last joining a new observation still belongs to the same fault.
	Window time.Duration `yaml:"window"`
	// Gap joins observations without an item: the longest silence between neighbours of one group.
	Gap time.Duration `yaml:"gap"`
	// BurstGap ends a burst of one-shot events on an item without relations: the longest silence within one.
	BurstGap time.Duration `yaml:"burst_gap"`
	// LookBack is how long before a fault a change may have caused it.
	LookBack time.Duration `yaml:"look_back"`
	// ChangeDecay is the time after which a change counts for half.
	ChangeDecay time.Duration `yaml:"change_decay"`
	// Detection is how long monitoring needs until an effect is reported: before it has passed,
	// what is still silent speaks only in part against a cause.
	Detection time.Duration `yaml:"detection"`
	// Hops bounds the walk from an observation to its causes.
	Hops int `yaml:"hops"`
	// FanOut bounds the relations that a walk follows at one item.
	FanOut int `yaml:"fan_out"`
	// Candidates bounds the causes considered for one observation.
	Candidates int `yaml:"candidates"`
}

// DefaultConfig returns the values that work without configuration.
func DefaultConfig() Config {
	return Config{
		Window: 15 * time.Minute, Gap: 5 * time.Minute, BurstGap: 5 * time.Second, LookBack: 24 * time.Hour, ChangeDecay: 30 * time.Minute,
		Detection: time.Minute, Hops: 5, FanOut: 64, Candidates: 64,
	}
}

// Validate returns every fault, each beginning with its path in the configuration file.
func (c Config) Validate() error {
	var errs []error
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"window", c.Window},
		{"gap", c.Gap},
		{"burst_gap", c.BurstGap},
		{"look_back", c.LookBack},
		{"change_decay", c.ChangeDecay},
		{"detection", c.Detection},
	} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("correlate.%s: must be positive, got %s", d.key, d.value))
		}
	}
	if c.Hops < 1 || c.Hops > 8 {
		errs = append(errs, fmt.Errorf("correlate.hops: must be 1 to 8, got %d", c.Hops))
	}
	if c.FanOut < 1 {
		errs = append(errs, fmt.Errorf("correlate.fan_out: must be positive, got %d", c.FanOut))
	}
	if c.Candidates < 1 || c.Candidates > 255 {
		errs = append(errs, fmt.Errorf("correlate.candidates: must be 1 to 255, got %d", c.Candidates))
	}
	return errors.Join(errs...)
}
