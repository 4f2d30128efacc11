package correlate

import (
	"strings"
	"time"

	"signalbox/itsm"
)

func start() time.Time { return time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC) }

// labelSet reads "alertname key=value …".
func labelSet(text string) itsm.Labels {
	fields := strings.Fields(text)
	m := map[string]string{"alertname": fields[0]}
	for _, f := range fields[1:] {
		k, v, _ := strings.Cut(f, "=")
		m[k] = v
	}
	return itsm.NewLabels(m)
}

// switches is a small estate: three access switches behind a core, three hosts behind each.
const switches = `
items:
  - {id: mon, class: host, vantage: true}
  - {id: core, class: switch, name: Core switch, criticality: 1}
  - {id: sw-1, class: switch}
  - {id: sw-2, class: switch}
  - {id: sw-3, class: switch}
  - {id: h11, class: host, identifiers: [{host: h11}]}
  - {id: h12, class: host, identifiers: [{host: h12}]}
  - {id: h13, class: host, identifiers: [{host: h13}]}
  - {id: h21, class: host, identifiers: [{host: h21}]}
  - {id: h22, class: host, identifiers: [{host: h22}]}
  - {id: h23, class: host, identifiers: [{host: h23}]}
  - {id: h31, class: host, identifiers: [{host: h31}]}
  - {id: h32, class: host, identifiers: [{host: h32}]}
  - {id: h33, class: host, identifiers: [{host: h33}]}
relations:
  - {from: mon, type: connects_to, to: core}
  - {from: sw-1, type: connects_to, to: core}
  - {from: sw-2, type: connects_to, to: core}
  - {from: sw-3, type: connects_to, to: core}
  - {from: h11, type: connects_to, to: sw-1}
  - {from: h12, type: connects_to, to: sw-1}
  - {from: h13, type: connects_to, to: sw-1}
  - {from: h21, type: connects_to, to: sw-2}
  - {from: h22, type: connects_to, to: sw-2}
  - {from: h23, type: connects_to, to: sw-2}
  - {from: h31, type: connects_to, to: sw-3}
  - {from: h32, type: connects_to, to: sw-3}
  - {from: h33, type: connects_to, to: sw-3}
`
