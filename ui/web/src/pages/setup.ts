// The lines that a person copies into Alertmanager and Prometheus.

/** The address under which senders reach this server: what it says, unless that is no address to send to. */
export function ownURL(listen: string | undefined, origin: string): string {
  if (listen === undefined || listen === "") return origin;
  try {
    const u = new URL(listen);
    const everywhere = ["0.0.0.0", "[::]", ""].includes(u.hostname);
    return everywhere ? origin : `${u.protocol}//${u.host}`;
  } catch {
    return origin;
  }
}

/**
 * A route of its own, first, that lets alerts pass on; and a last one to the receiver that the user had: without it
 * the first route would take every alert away.
 */
export const alertmanagerLines = (url: string): string => `route:
  routes:
    - receiver: signalbox  # first
      continue: true
      group_by: ['...']
      group_wait: 1s
      group_interval: 10s
    # your own routes stay here
    - receiver: default    # last: your route's own receiver
receivers:
  - name: signalbox
    webhook_configs:
      - url: ${url}/api/v1/ingest/alertmanager
        send_resolved: true
`;

export function prometheusLines(url: string): string {
  const u = new URL(url);
  const scheme = u.protocol === "https:" ? "      scheme: https\n" : "";
  return `# one more target; yours stay
alerting:
  alertmanagers:
    - static_configs:
        - targets: ['${u.host}']
${scheme}`;
}

export const shellLines = (url: string): string => `curl -X POST ${url}/api/v2/alerts \\
  -H 'Content-Type: application/json' \\
  -d '[{"labels": {"alertname": "SignalboxTest",
                   "severity": "warning",
                   "instance": "web-1:9100"}}]'
`;
