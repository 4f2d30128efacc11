package itsm

import (
	"slices"
	"time"
)

// Input is everything one record of signalbox.events says to the engine. All of it happens at
// the record's time; it is applied in the order adopt, silences, changes,
// alerts, commands. An Input with
// nothing in it is a tick.
type Input struct {
	Adopt    *Adopt
	Silences []Silence
	Changes  []Change
	Alerts   []Alert
	Commands []Command
}

// Empty tells whether the input is a tick.
func (in *Input) Empty() bool {
	return in.Adopt == nil && len(in.Silences) == 0 && len(in.Changes) == 0 && len(in.Alerts) == 0 && len(in.Commands) == 0
}

// Adopt makes stored versions of large inputs the ones in force. A nil part stays as it was.
type Adopt struct {
	Estate   *Version // bytes: an estate file, or cmdb's document of parts by origin
	Rules    *Version // bytes: the engine's configuration as JSON
	Patterns *Version // bytes: a patterns file as learn writes it
}

// Versions returns the parts that are there.
func (a *Adopt) Versions() []*Version {
	return slices.DeleteFunc([]*Version{a.Estate, a.Rules, a.Patterns}, func(v *Version) bool { return v == nil })
}

// Version is a large immutable input: its id follows from its bytes. In a record only the id
// travels; the bytes are stored beside it first and filled in again on reading.
type Version struct {
	ID   string
	Data []byte
}

// Record is an input in its place in the log of one shard.
type Record struct {
	Offset int64
	Time   time.Time
	Input  Input
}

// Recorded is a record with its bytes as they lie in the log.
type Recorded struct {
	Record
	Value []byte
}

// Position is how far an engine has come in its log.
type Position struct {
	Offset int64     // the next record to apply
	Clock  time.Time // the engine's clock
	// Ids of the adopted versions, empty when none.
	Estate, Rules, Patterns string
}

// Entity is one piece of an engine's state in a checkpoint. A nil Value deletes the key. Keys do
// not begin with an underscore.
type Entity struct {
	Key   string
	Value []byte
}

// Topic is the name of a public topic without its prefix.
type Topic string

// The topics that people and the board read.
const (
	TopicIncidents Topic = "incidents"
	TopicAlerts    Topic = "alerts"
	TopicTimeline  Topic = "timeline"
	TopicProblems  Topic = "problems"
	TopicCMDB      Topic = "cmdb"
)

// Published is one record read back from a public topic. A nil Value is a tombstone.
//
//   - incidents: key the incident's id, value its row; key "_causes/<id>", value its ranked causes
//     with evidence; key "_sla/<id>", value its Phases, when targets are configured; key "_priority/<id>", value its PriorityReasons;
//     key "_command/<id>", value an Outcome; key "_adopted/<shard>", value an Adopted;
//     key "_silence/<id>", value a Silence; key "_heartbeat/<fingerprint>/<source>", value a
//     Heartbeat; key "_maintenance/<id>", value a Change; key "_epoch", value the topic's epoch (a text).
//   - alerts: key "<incident>/<fingerprint>" ("-" for an alert without incident), value an AlertState.
//   - timeline: key "<incident>/<seq>", value an Entry.
//   - problems: key the candidate's id, value a Problem.
//   - cmdb: key "item/<id>" and "relation/<from>/<type>/<to>", values of discovered items and
//     relations; key "version/<id>" the whole bytes of a version.
type Published struct {
	Topic  Topic
	Offset int64
	Key    string
	Value  []byte
}

// TopicEvents is the log of inputs. Its records are not Published: they are Records.
const TopicEvents Topic = "events"

// Block is a run of one partition: what it holds from one offset to the next block's, holes left
// by compaction not counted.
type Block struct {
	From, Next int64
	Published  []Published // of a public topic, without tombstones and reserved keys
	Records    []Recorded  // of events; adopted versions without their bytes
	Behind     int64       // offsets between Next and the end of the log as it was then, or BehindUnknown
	Lost       int64       // offsets before From that retention has removed unread
}

// BehindUnknown is the Behind of a Block that is empty because the log did not answer in time: it says nothing about where
// the log ends.
const BehindUnknown = -1
