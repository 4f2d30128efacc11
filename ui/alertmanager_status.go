package ui

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// alertmanagerVersion is the release of Alertmanager whose API v2 is served. Readers decide by it
// what they may ask for, so it must be a version of Alertmanager, not of ours.
const alertmanagerVersion = "0.34.2"

// readableConfig says in Alertmanager's words how alerts are grouped. Grafana and amtool parse it.
const readableConfig = `# Signalbox groups alerts by their probable cause. This is what tools made for Alertmanager can show of it.
route:
  receiver: ` + soleReceiver + `
  group_by: [incident, cause, priority]
receivers:
  - name: ` + soleReceiver + `
`

// alertmanagerStatus is the state of the program in Alertmanager's form.
type alertmanagerStatus struct {
	Cluster     clusterStatus      `json:"cluster"`
	Config      alertmanagerConfig `json:"config"`
	Uptime      string             `json:"uptime"` // when it started
	VersionInfo versionInfo        `json:"versionInfo"`
}

type clusterStatus struct {
	Peers  []string `json:"peers"` // always empty
	Status string   `json:"status"`
}

type alertmanagerConfig struct {
	Original string `json:"original"`
}

type versionInfo struct {
	Branch    string `json:"branch"`
	BuildDate string `json:"buildDate"`
	BuildUser string `json:"buildUser"`
	GoVersion string `json:"goVersion"`
	Revision  string `json:"revision"`
	Version   string `json:"version"`
}

func (u *UI) alertmanagerStatus(began time.Time) alertmanagerStatus {
	return alertmanagerStatus{
		// Processes share work through Kafka: there is no gossip that a sender could wait for.
		Cluster: clusterStatus{Peers: []string{}, Status: "disabled"},
		Config:  alertmanagerConfig{readableConfig}, Uptime: began.UTC().Format(alertmanagerTime), VersionInfo: u.versionInfo(),
	}
}

// versionInfo names the API in version and this program in branch and revision.
func (u *UI) versionInfo() versionInfo {
	v := versionInfo{Version: alertmanagerVersion, Branch: "signalbox", Revision: u.version, GoVersion: runtime.Version()}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, s := range build.Settings {
			if s.Key == "vcs.time" {
				v.BuildDate = s.Value
			}
		}
	}
	return v
}

// exposeAlertmanagerVersion serves the one metric that karma reads. It would go on without, as if
// with the newest Alertmanager, but log an error at every poll.
func exposeAlertmanagerVersion(reg prometheus.Registerer, v versionInfo) {
	promauto.With(reg).NewGauge(prometheus.GaugeOpts{
		Name: "alertmanager_build_info", Help: "The version of Alertmanager whose API v2 Signalbox serves, for tools that look for it here. Always 1.",
		ConstLabels: prometheus.Labels{"version": v.Version, "branch": v.Branch, "revision": v.Revision, "goversion": v.GoVersion},
	}).Set(1)
}

type receiverReference struct {
	Name string `json:"name"`
}

func handleReceivers(w http.ResponseWriter, r *http.Request) {
	received, err := readReceivers(r.URL.Query())
	if err != nil {
		writeAlertmanagerError(w, http.StatusBadRequest, err.Error())
		return
	}
	list := []receiverReference{}
	if received {
		list = append(list, receiverReference{soleReceiver})
	}
	writeJSON(w, http.StatusOK, list)
}
