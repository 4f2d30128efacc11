package correlate

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"signalbox/correlate/explain"
	"signalbox/correlate/problem"
	"signalbox/itsm"
	"signalbox/sla"
)

// Config is everything that decides outcomes. It is adopted by a record, like an estate.
type Config struct {
	Severity  SeverityConfig  `yaml:"severity"`
	Incident  IncidentConfig  `yaml:"incident"`
	Correlate CorrelateConfig `yaml:"correlate"`
	SLA       sla.Config      `yaml:"sla"`
	Problem   ProblemConfig   `yaml:"problem"`
}

// ProblemConfig is when resolved incidents make a candidate for a problem.
type ProblemConfig = problem.Config

// SeverityConfig turns the label severity into a severity.
type SeverityConfig struct {
	// The label that says how bad an alert is.
	Label string `yaml:"label"`
	// The severity of each value of the label; the names of the severities stand for themselves.
	Values map[string]itsm.Severity `yaml:"values"`
	// The severity of an alert without the label or with an unknown value.
	Default itsm.Severity `yaml:"default"`
}

// IncidentConfig is the life of an incident.
type IncidentConfig struct {
	// Alerts below this severity open no incident.
	MinSeverity itsm.Severity `yaml:"min_severity"`
	// Values of alertname that fire always, to show that alerting works; they open no incident.
	Heartbeats []string `yaml:"heartbeats"`
	// How long an alert that its source must re-send lives after its last record, when it does not say so itself.
	ResolveTimeout time.Duration `yaml:"resolve_timeout"`
	// An incident resolves itself so long after its last alert has ended.
	AutoResolveAfter time.Duration `yaml:"auto_resolve_after"`
	// An alert that fires again within this time after its incident was resolved opens that incident again.
	ReopenWithin time.Duration `yaml:"reopen_within"`
	// A resolved incident closes after this time.
	CloseAfter time.Duration `yaml:"close_after"`
	// A closed incident is forgotten after this time.
	ForgetAfter time.Duration `yaml:"forget_after"`
	// An alert flaps when it fires this often …
	FlapCount int `yaml:"flap_count"`
	// … within this time, and until it has not fired anew for as long.
	FlapWindow time.Duration `yaml:"flap_window"`
	// What begins and ends within this time is fleeting; 0s: nothing is.
	Fleeting time.Duration `yaml:"fleeting"`
	// What stands before the number of an incident.
	NumberPrefix string `yaml:"number_prefix"`
	// Priority by impact (rows 1 to 3) and urgency (columns 1 to 3).
	Priority itsm.PriorityTable `yaml:"priority"`
}

// CorrelateConfig is how alerts are explained.
type CorrelateConfig struct {
	// The labels whose values choose the shard of an alert, when kafka.shards is above 1.
	ShardBy []string `yaml:"shard_by"`
	// The label by which alerts without an item are grouped.
	GroupUnbound string `yaml:"group_unbound"`
	// A new alert belongs to the same fault for so long after the last one joined.
	Window time.Duration `yaml:"window"`
	// Alerts without an item are of one group while no more than this lies between them.
	Gap time.Duration `yaml:"gap"`
	// One-shot events on an item without relations are one burst while no more than this lies between them.
	BurstGap time.Duration `yaml:"burst_gap"`
	// A change may have caused what begins up to this time after it.
	LookBack time.Duration `yaml:"look_back"`
	// The time after which a change counts for half.
	ChangeDecay time.Duration `yaml:"change_decay"`
	// How long monitoring needs to report an effect; what is silent longer speaks against a cause.
	Detection time.Duration `yaml:"detection"`
	// The relations that a search follows from an alert to its causes.
	Hops int `yaml:"hops"`
	// The relations that a search follows at one item.
	FanOut int `yaml:"fan_out"`
	// The causes considered for one alert.
	Candidates int `yaml:"candidates"`
}

// DefaultConfig returns the values that work without configuration.
func DefaultConfig() Config {
	x := explain.DefaultConfig()
	return Config{
		Severity: SeverityConfig{Label: "severity", Default: itsm.SeverityWarning, Values: map[string]itsm.Severity{
			"page": itsm.SeverityCritical, "emergency": itsm.SeverityCritical, "fatal": itsm.SeverityCritical, "disaster": itsm.SeverityCritical,
			"error": itsm.SeverityMajor, "high": itsm.SeverityMajor, "ticket": itsm.SeverityMinor, "average": itsm.SeverityMinor,
			"medium": itsm.SeverityMinor, "warn": itsm.SeverityWarning, "low": itsm.SeverityInfo, "notice": itsm.SeverityInfo,
			"information": itsm.SeverityInfo, "debug": itsm.SeverityNone,
		}},
		Incident: IncidentConfig{
			MinSeverity: itsm.SeverityWarning, Heartbeats: []string{"Watchdog"}, ResolveTimeout: 5 * time.Minute,
			AutoResolveAfter: 5 * time.Minute, ReopenWithin: time.Hour, CloseAfter: 24 * time.Hour, ForgetAfter: 30 * 24 * time.Hour,
			FlapCount: 5, FlapWindow: 15 * time.Minute, Fleeting: time.Minute, NumberPrefix: "INC-", Priority: itsm.DefaultPriorityTable(),
		},
		Correlate: CorrelateConfig{
			GroupUnbound: "alertname", Window: x.Window, Gap: x.Gap, BurstGap: x.BurstGap, LookBack: x.LookBack, ChangeDecay: x.ChangeDecay,
			Detection: x.Detection, Hops: x.Hops, FanOut: x.FanOut, Candidates: x.Candidates,
		},
		Problem: problem.DefaultConfig(),
	}
}

func (c CorrelateConfig) explain() explain.Config {
	return explain.Config{
		Window: c.Window, Gap: c.Gap, BurstGap: c.BurstGap, LookBack: c.LookBack, ChangeDecay: c.ChangeDecay, Detection: c.Detection,
		Hops: c.Hops, FanOut: c.FanOut, Candidates: c.Candidates,
	}
}

// Validate returns every fault, each beginning with its path in the configuration file.
func (c Config) Validate() error {
	var errs []error
	known := func(path string, s itsm.Severity) {
		if !slices.Contains(itsm.Severities(), s) {
			errs = append(errs, fmt.Errorf("%s: must be one of %v, got %q", path, itsm.Severities(), s))
		}
	}
	known("severity.default", c.Severity.Default)
	known("incident.min_severity", c.Incident.MinSeverity)
	values := make([]string, 0, len(c.Severity.Values))
	for v := range c.Severity.Values {
		values = append(values, v)
	}
	slices.Sort(values)
	for _, v := range values {
		known("severity.values."+v, c.Severity.Values[v])
	}
	for _, d := range []struct {
		path  string
		value time.Duration
	}{
		{"incident.resolve_timeout", c.Incident.ResolveTimeout},
		{"incident.auto_resolve_after", c.Incident.AutoResolveAfter},
		{"incident.reopen_within", c.Incident.ReopenWithin},
		{"incident.close_after", c.Incident.CloseAfter},
		{"incident.forget_after", c.Incident.ForgetAfter},
		{"incident.flap_window", c.Incident.FlapWindow},
	} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("%s: must be positive, got %s", d.path, d.value))
		}
	}
	if c.Incident.Fleeting < 0 {
		errs = append(errs, fmt.Errorf("incident.fleeting: must not be negative, got %s", c.Incident.Fleeting))
	}
	if c.Incident.FlapCount < 2 {
		errs = append(errs, fmt.Errorf("incident.flap_count: must be at least 2, got %d", c.Incident.FlapCount))
	}
	if err := c.Incident.Priority.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("incident.%w", err))
	}
	if c.Correlate.GroupUnbound == "" {
		errs = append(errs, errors.New("correlate.group_unbound: is missing"))
	}
	return errors.Join(append(errs, c.Correlate.explain().Validate(), c.SLA.Validate(), c.Problem.Validate())...)
}

// severityOf reads the severity of a label set.
func (c SeverityConfig) severityOf(labels itsm.Labels) itsm.Severity {
	v := labels.Get(c.Label)
	if v == "" {
		return c.Default
	}
	if s, ok := c.Values[v]; ok {
		return s
	}
	if s := itsm.Severity(v); s.Rank() < len(itsm.Severities()) {
		return s
	}
	return c.Default
}
