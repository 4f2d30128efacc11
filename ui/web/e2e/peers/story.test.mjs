// The whole way with the real parts around it: alerts of a Prometheus come through a pair of Alertmanagers to a board in a browser,
// by way of Apache Kafka, and into the history that ClickHouse keeps.
import { assert, boardTest, eventually } from "../world.mjs";
import { amtool, delivered, freeAddresses, startAlertmanagers, startHosts, startPrometheus } from "./peers.mjs";

const brokers = process.env.KAFKA_BROKERS;
assert.ok(brokers, "KAFKA_BROKERS names no broker: make e2e starts one");

const rack = ["host-a:9100", "host-b:9100", "host-c:9100"];
const shop = "shop-db:9187";
const pair = await freeAddresses(2);

const config = JSON.stringify({ // JSON is YAML
  kafka: { brokers: brokers.split(","), topic_prefix: `story-${Date.now()}.` },
  incident: { auto_resolve_after: "1s" },
  // Both are one source, which is read to know what they do not send.
  alertmanagers: [{ name: "pair", urls: pair.map((address) => `http://${address}`), interval: "1s", settle: "1s", silence: true, heartbeat: "30s" }],
});

const rules = [
  { alert: "HostUnreachable", expr: 'up_by_hand{instance=~"host-.*"} == 0', labels: { severity: "critical" }, annotations: { summary: "{{ $labels.instance }} does not answer" } },
  { alert: "DatabaseDown", expr: 'up_by_hand{instance=~"shop-.*"} == 0', labels: { severity: "critical" }, annotations: { summary: "{{ $labels.instance }} is down" } },
  { alert: "Watchdog", expr: "vector(1)", labels: { severity: "none" } },
];

const notify = (signalbox) => JSON.stringify({
  route: { receiver: "signalbox", group_by: ["alertname"], group_wait: "1s", group_interval: "1s", repeat_interval: "2s" },
  receivers: [{ name: "signalbox", webhook_configs: [{ url: `${signalbox}/api/v1/ingest/alertmanager`, send_resolved: true, max_alerts: 2 }] }],
});

const instances = (json) => JSON.parse(json).map((a) => a.labels.instance).sort();

boardTest("alerts of a real Prometheus become incidents, and the past", { config }, async (world) => {
  const { program } = world;
  const hosts = await startHosts(world, [...rack, shop]);
  await startAlertmanagers(world, pair, notify(program.url));
  const prometheus = await startPrometheus(world, hosts, pair, rules);

  const window = await world.look();
  await window.sees(window.page.getByText("no incident yet"));
  await window.mark();

  hosts.fail(...rack);
  await oneIncident(window, program);
  await toldAgainAndAgain(window, program);
  await oneSource(await world.look("/sources"), program);

  // Something else breaks: an incident of its own.
  hosts.fail(shop);
  await window.sees(window.row("INC-000002").getByText("Shop database"));
  assert.deepEqual((await window.numbers()).toSorted(), ["INC-000001", "INC-000002"]);

  await amtoolReadsAndSilences(window, program);
  await silencedAtTheSource(window, program, hosts);
  await acknowledgedHereSilentThere(window);

  // All is well again.
  hosts.recover(shop, ...rack);
  await window.sees(window.row("INC-000001").getByText(/^Resolved/));
  await window.sees(window.row("INC-000002").getByText(/^Resolved/));
  await counts(program, "INC-000001", { resolved: 3, total: 3 });
  await counts(program, "INC-000002", { resolved: 1, total: 1 });
  for (const number of ["INC-000001", "INC-000002"]) {
    const { alerts } = await program.get(`/api/v1/incidents/${number}`);
    assert.deepEqual(alerts.filter((a) => a.count !== 1), [], "nothing has fired twice");
  }
  await window.assertNotReloaded();
  await historyShowsIt(window, program);

  // Monitoring itself dies: no news is no good news.
  await prometheus.stop();
  await window.page.goto(program.url);
  const silent = await window.sees(window.row("Source pair is silent"));
  await startPrometheus(world, hosts, pair, rules);
  await window.sees(silent.getByText(/^Resolved/));
});

const counts = (program, number, wanted) => eventually(async () => {
  const { alertCounts } = await program.get(`/api/v1/incidents/${number}`);
  assert.deepEqual(alertCounts, { firing: 0, resolved: 0, expired: 0, suppressed: 0, maintenance: 0, total: 0, ...wanted });
});

/** A rack goes dark. Its switch says nothing, and the incident names it. The third alert is one that the Alertmanagers leave out. */
async function oneIncident(window, program) {
  const row = await window.sees(window.row("INC-000001"));
  await window.sees(row.getByText("Rack switch 1", { exact: true }));
  await window.sees(row.getByText("not itself reporting"));
  await counts(program, "INC-000001", { firing: 3, total: 3 });
}

/** Both Alertmanagers tell of it, again and again, and nothing comes of that. */
async function toldAgainAndAgain(window, program) {
  const incident = async () => {
    const { state, title, severity, items, causes, alertCounts, reopenCount, alerts } = await program.get("/api/v1/incidents/INC-000001");
    return { state, title, severity, items, causes, alertCounts, reopenCount, periods: alerts.map((a) => a.count) };
  };
  const first = await incident();
  assert.deepEqual(first.periods, [1, 1, 1]);
  const before = await Promise.all(pair.map(delivered));
  await eventually(async () => {
    for (const [i, n] of (await Promise.all(pair.map(delivered))).entries()) assert.ok(n >= before[i] + 6, `Alertmanager ${i + 1} has told ${n} times, ${before[i]} before`);
  });
  assert.deepEqual(await incident(), first);
  assert.deepEqual(await window.numbers(), ["INC-000001"]);
}

/** The two are one source. What they sent last is shown, be it the heartbeat or what has less in it than they have. */
async function oneSource(window, program) {
  await window.page.getByRole("link", { name: "pair" }).click();
  const panel = window.page.getByRole("complementary", { name: "Source pair" });
  await window.sees(panel.getByText(/"truncatedAlerts": ?[01]\b/));
  const metrics = await (await fetch(`${program.url}/metrics`)).text();
  const [, left] = metrics.match(/^signalbox_ingest_truncated_alerts_total\{door="alertmanager"\} (\S+)$/m) ?? [];
  assert.ok(Number(left) > 0, `alerts that were left out: ${left}`);
  const { sources } = await program.get("/api/v1/sources");
  assert.deepEqual(sources.map(({ name, firing, refused }) => ({ name, firing, refused })), [{ name: "pair", firing: 4, refused: 0 }]); // the Watchdog is one of them
}

/** What monitoring teams have in their fingers, against our own API. */
async function amtoolReadsAndSilences(window, { url }) {
  assert.deepEqual(instances(await amtool(url, "alert", "query", "severity=critical", "-o", "json")), [...rack, shop]);
  assert.deepEqual(instances(await amtool(url, "alert", "query", "HostUnreachable", 'instance!~"host-[ab].*"', "-o", "json")), ["host-c:9100"]);
  const id = await amtool(url, "silence", "add", "DatabaseDown", "--author=maria", "--comment=its disk is exchanged", "--duration=1h");
  await window.misses(window.row("INC-000002"));
  await window.page.getByRole("tab", { name: "Suppressed 1" }).click();
  await window.sees(window.row("INC-000002").getByText("Suppressed", { exact: true }));
  const [silence] = JSON.parse(await amtool(url, "silence", "query", "-o", "json"));
  assert.deepEqual({ id: silence.id, comment: silence.comment, createdBy: silence.createdBy }, { id, comment: "its disk is exchanged", createdBy: "maria" });
  assert.deepEqual(instances(await amtool(url, "alert", "query", "--silenced", "-o", "json")), [shop]);
  await amtool(url, "silence", "expire", id);
  await window.misses(window.row("INC-000002"));
  await window.page.getByRole("tab", { name: /^Open/ }).click();
  await window.sees(window.row("INC-000002"));
  assert.equal(await amtool(url, "silence", "query", "-q"), "");
}

/** A silence at one Alertmanager reaches the other, and both fall silent: what it hides is marked here, and so is its end seen. */
async function silencedAtTheSource(window, program, hosts) {
  const id = await amtool(`http://${pair[0]}`, "silence", "add", "instance=host-c:9100", "--author=tom", "--comment=it is moved", "--duration=1h");
  await counts(program, "INC-000001", { firing: 3, suppressed: 1, total: 3 });
  await window.sees(window.page.getByRole("contentinfo").getByText("Suppressed 1"));
  const { alerts } = await program.get("/api/v1/incidents/INC-000001");
  assert.deepEqual(alerts.filter((a) => a.suppressed !== null).map((a) => [a.labels.instance, a.suppressed]), [["host-c:9100", `silenced by ${id} in pair`]]);
  await eventually(async () => assert.match(await amtool(`http://${pair[1]}`, "silence", "query"), new RegExp(id)));

  // No Alertmanager ever tells that it is over.
  hosts.recover("host-c:9100");
  await counts(program, "INC-000001", { firing: 2, resolved: 1, total: 3 });
  await window.sees(window.page.getByRole("contentinfo").getByText("Suppressed 0"));
  await amtool(`http://${pair[1]}`, "silence", "expire", id);
}

const silencesAt = async (address) => JSON.parse(await amtool(`http://${address}`, "silence", "query", "-o", "json"));

/** What somebody works on is silent at both Alertmanagers, and stays on the board. */
async function acknowledgedHereSilentThere(window) {
  await window.introduce("maria");
  await window.row("INC-000002").click();
  await window.panel("INC-000002").getByRole("button", { name: /^Acknowledge/ }).click();
  await window.sees(window.row("INC-000002").getByText("acknowledged"));
  for (const address of pair) {
    await eventually(async () => {
      const silences = await silencesAt(address);
      assert.deepEqual(silences.map((s) => s.createdBy), ["maria"]);
      assert.match(silences[0].comment, /INC-000002/);
      assert.ok(silences[0].matchers.some((m) => m.name === "instance" && m.value === shop), JSON.stringify(silences[0].matchers));
    });
  }
  await window.button("Close the panel (Esc)").click();
  await window.sees(window.row("INC-000002"));
  await window.sees(window.page.getByRole("contentinfo").getByText("Suppressed 0"));
}

/** What has passed is found again, over time, as a list and as the story of one incident. */
async function historyShowsIt(window, program) {
  await eventually(async () => { // history is written behind what happens
    const { incidents } = await program.get("/api/v1/history/incidents");
    assert.deepEqual(incidents.map((i) => `${i.number} ${i.state}`).sort(), ["INC-000001 resolved", "INC-000002 resolved"]);
  });
  const { page } = window;
  await page.getByRole("link", { name: "History" }).click();
  const chart = page.getByRole("region", { name: "Alerts over time" });
  await window.sees(chart.getByText(/^5 alerts began/));
  await page.getByLabel("Filter").fill("HostUnreachable");
  await window.sees(chart.getByText(/^3 alerts began of those that match/));
  const past = page.getByRole("grid");
  await window.sees(past.getByRole("row").filter({ hasText: "host-b" }));
  assert.equal(await past.getByRole("row").filter({ hasText: "DatabaseDown" }).count(), 0);

  await page.getByRole("tab", { name: "Incidents" }).click();
  await page.getByLabel("Filter").fill("host-b");
  await past.getByRole("row").filter({ hasText: "INC-000001" }).click();
  const panel = page.getByRole("complementary", { name: "Incident INC-000001" });
  await window.sees(panel.getByText("Rack switch 1").first());
  const timeline = panel.locator("section").filter({ has: page.getByRole("heading", { name: /^Timeline/ }) });
  await window.sees(timeline.getByRole("listitem").filter({ hasText: /resolved/i }));
  await panel.getByRole("link", { name: /^Its alerts/ }).click();
  await eventually(async () => assert.equal(await past.getByRole("row").filter({ hasText: "resolved" }).count(), 3));
}
