package itsm

import (
	"slices"
	"time"
)

// Metric is what a service level target promises.
type Metric string

// The metrics: until somebody takes care, and until it works again.
const (
	MetricResponse   Metric = "response"
	MetricResolution Metric = "resolution"
)

// Metrics lists them.
func Metrics() []Metric { return []Metric{MetricResponse, MetricResolution} }

// ClockState is where the measurement of a target stands.
type ClockState string

// The states of a clock.
const (
	ClockRunning   ClockState = "running"
	ClockPaused    ClockState = "paused"    // while on hold for a reason that pauses it
	ClockWarned    ClockState = "warned"    // running, and a share of the time to warn at is used up
	ClockMet       ClockState = "met"       // stopped in time
	ClockBreached  ClockState = "breached"  // the time was used up, whether it still runs or not
	ClockCancelled ClockState = "cancelled" // what it measured is no longer asked for
)

// ClockStates lists them.
func ClockStates() []ClockState {
	return []ClockState{ClockRunning, ClockPaused, ClockWarned, ClockMet, ClockBreached, ClockCancelled}
}

// Clock is the measurement of one target for an incident. Nothing in it changes by the mere passing
// of time, except where the state does: who shows it computes the time left from DueAt.
type Clock struct {
	Name          string     `json:"name"` // of the target
	Metric        Metric     `json:"metric"`
	State         ClockState `json:"state"`
	TargetSeconds int64      `json:"targetSeconds"` // of time that counts
	StartedAt     time.Time  `json:"startedAt"`
	// DueAt is when the target is used up, as things stand; null while it is paused or was stopped before.
	DueAt    *time.Time `json:"dueAt"`
	PausedAt *time.Time `json:"pausedAt"`
	// StoppedAt is when it was met, cancelled, or stopped too late.
	StoppedAt *time.Time `json:"stoppedAt"`
	// ElapsedSeconds is the time that counted until it was paused or stopped; null while it runs.
	ElapsedSeconds *int64 `json:"elapsedSeconds"`
	// WarnedPercent is the highest share of the target to warn at that is used up; 0: none.
	WarnedPercent int `json:"warnedPercent"`
}

// Live tells whether the clock still runs towards its due time or away from it.
func (c *Clock) Live() bool { return c.StoppedAt == nil && c.PausedAt == nil }

// Phase is what held of an incident from a moment on, as far as service levels look at it. The
// phases of an incident, in order of time, are its history: clocks follow from nothing else.
type Phase struct {
	At    time.Time `json:"at"`
	State State     `json:"state"`
	// Merged: the incident was merged away.
	Merged bool `json:"merged,omitempty"`
	// Hold is why it is on hold.
	Hold string `json:"hold,omitempty"`
	// Responded: a person has taken notice or begun to work.
	Responded bool     `json:"responded,omitempty"`
	Priority  int      `json:"priority"`
	Team      string   `json:"team,omitempty"`
	Services  []string `json:"services,omitempty"`
}

// Phases is the history of an incident as the engine last measured it.
type Phases struct {
	// Rules is the version of the rules by whose targets it was measured.
	Rules  string  `json:"rules"`
	Phases []Phase `json:"phases"`
}

// Same tells whether two phases differ in nothing but their beginning.
func (p *Phase) Same(o *Phase) bool {
	return p.State == o.State && p.Merged == o.Merged && p.Hold == o.Hold && p.Responded == o.Responded &&
		p.Priority == o.Priority && p.Team == o.Team && slices.Equal(p.Services, o.Services)
}
