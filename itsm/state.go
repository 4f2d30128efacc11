package itsm

import "slices"

// State is where an incident stands in its life (ITIL).
type State string

// The states of an incident.
const (
	StateNew        State = "new"
	StateInProgress State = "in_progress"
	StateOnHold     State = "on_hold"
	StateResolved   State = "resolved"
	StateClosed     State = "closed"
	StateCancelled  State = "cancelled"
)

// States lists every state.
func States() []State {
	return []State{StateNew, StateInProgress, StateOnHold, StateResolved, StateClosed, StateCancelled}
}

// Open tells whether work on the incident may still be needed.
func (s State) Open() bool { return s == StateNew || s == StateInProgress || s == StateOnHold }

// Transition is one row of the state machine: the action leads from any of From to To. An empty
// To leaves the state as it is.
type Transition struct {
	Action Action
	From   []State
	To     State
}

// Transitions is the state machine of an incident as data. `acknowledge` and `assign` to a person
// also move new to in_progress; that is written in their rows for StateNew.
func Transitions() []Transition {
	open := []State{StateNew, StateInProgress, StateOnHold}
	live := append(slices.Clone(open), StateResolved)
	return []Transition{
		{ActionAcknowledge, []State{StateNew}, StateInProgress},
		{ActionAcknowledge, []State{StateInProgress, StateOnHold, StateResolved}, ""},
		{ActionUnacknowledge, live, ""},
		{ActionStart, []State{StateNew, StateOnHold}, StateInProgress},
		{ActionHold, open, StateOnHold},
		{ActionResume, []State{StateOnHold}, StateInProgress},
		{ActionResolve, open, StateResolved},
		{ActionReopen, []State{StateResolved, StateClosed, StateCancelled}, StateInProgress},
		{ActionClose, []State{StateResolved}, StateClosed},
		{ActionCancel, open, StateCancelled},
		{ActionAssign, []State{StateNew}, StateInProgress},
		{ActionAssign, []State{StateInProgress, StateOnHold, StateResolved}, ""},
		{ActionComment, States(), ""},
		{ActionPriority, live, ""},
		{ActionSnooze, open, ""},
		{ActionMerge, live, ""},
		{ActionSplit, live, ""},
		{ActionMove, live, ""},
		{ActionConfirmCause, live, ""},
		{ActionRejectCause, live, ""},
		{ActionUndo, States(), ""},
	}
}

// Next returns the state after an action, and whether the action is allowed in state s.
func (s State) Next(a Action) (State, bool) {
	for _, t := range Transitions() {
		if t.Action == a && slices.Contains(t.From, s) {
			if t.To == "" {
				return s, true
			}
			return t.To, true
		}
	}
	return s, false
}
