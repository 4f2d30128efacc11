// Names the Alertmanager that the tests run against, in the one place; go.sum beside it has its checksum.
module signalbox/scripts/alertmanager

go 1.26.0

require github.com/prometheus/alertmanager v0.34.2
