// What stands around the program at its users': Prometheus, a pair of Alertmanagers, amtool, and hosts to be watched.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as listen } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { assert, eventually } from "../world.mjs";
import { root } from "../program.mjs";

/** Loopback addresses that were free a moment ago. */
export async function freeAddresses(count) {
  const servers = Array.from({ length: count }, () => listen().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once("listening", resolve))));
  const addresses = servers.map((server) => `127.0.0.1:${server.address().port}`);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return addresses;
}

/** A program of somebody else, with a folder of its own. */
class Peer {
  log = "";
  #child;
  #gone;
  #dir;

  /** Starts a program; args gets the folder, with the files of this name and text in it. */
  async start(name, file, files, args) {
    this.name = name;
    this.#dir = await mkdtemp(join(tmpdir(), `signalbox-e2e-${name}-`));
    for (const [path, text] of Object.entries(files)) await writeFile(join(this.#dir, path), text);
    this.#child = spawn(file, args(this.#dir), { stdio: ["ignore", "pipe", "pipe"] });
    this.#child.on("error", (error) => { this.log += String(error); });
    this.#gone = new Promise((resolve) => this.#child.once("close", resolve));
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream.on("data", (text) => { this.log += text; });
    return this;
  }

  async stop() {
    this.#child.kill("SIGKILL");
    await this.#gone;
    await rm(this.#dir, { recursive: true, force: true });
  }
}

async function run(world, ...what) {
  const peer = await new Peer().start(...what);
  world.peers.push(peer);
  return peer;
}

async function answers(url) {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  return answer;
}

/** What is watched: each thing is well or not, and says so to whoever asks. */
export async function startHosts(world, names) {
  const down = new Set();
  const server = createServer((_, answer) => answer.end(names.map((name) => `up_by_hand{instance="${name}"} ${down.has(name) ? 0 : 1}\n`).join("")));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  world.peers.push({
    name: "hosts", log: "",
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  });
  return {
    address: `127.0.0.1:${server.address().port}`,
    fail: (...which) => which.forEach((name) => down.add(name)),
    recover: (...which) => which.forEach((name) => down.delete(name)),
  };
}

/**
 * Two Alertmanagers that gossip, so that they share silences, and that do not wait for each other before they notify: each
 * notification comes twice, as from a pair whose members cannot talk to each other.
 */
export async function startAlertmanagers(world, addresses, config) {
  const gossip = await freeAddresses(2);
  await Promise.all(addresses.map((address, i) => run(world, `alertmanager-${i + 1}`, join(root, ".cache/alertmanager/alertmanager"), { "alertmanager.yml": config }, (dir) => [
    `--config.file=${dir}/alertmanager.yml`, `--storage.path=${dir}`, `--web.listen-address=${address}`, `--web.external-url=http://${address}`,
    `--cluster.listen-address=${gossip[i]}`, `--cluster.peer=${gossip[1 - i]}`, "--cluster.peer-timeout=1ms", "--cluster.settle-timeout=1s",
  ])));
  await Promise.all(addresses.map((address) => eventually(async () => {
    await answers(`http://${address}/-/ready`);
    const { cluster } = await (await answers(`http://${address}/api/v2/status`)).json();
    assert.equal(cluster.status, "ready");
    assert.equal(cluster.peers.length, 2);
  })));
}

/** How many notifications an Alertmanager has delivered. */
export async function delivered(address) {
  const text = await (await answers(`http://${address}/metrics`)).text();
  const sum = (name) => [...text.matchAll(new RegExp(`^${name}\\{[^}]*integration="webhook"[^}]*\\} (\\S+)$`, "gm"))].reduce((n, [, value]) => n + Number(value), 0);
  return sum("alertmanager_notifications_total") - sum("alertmanager_notifications_failed_total");
}

/** A Prometheus that watches the hosts and tells both Alertmanagers, and waits until it has seen them all. */
export async function startPrometheus(world, hosts, alertmanagers, rules) {
  const [address] = await freeAddresses(1);
  const config = JSON.stringify({ // JSON is YAML
    global: { scrape_interval: "1s", evaluation_interval: "1s" }, rule_files: ["rules.yml"],
    scrape_configs: [{ job_name: "hosts", honor_labels: true, static_configs: [{ targets: [hosts.address] }] }],
    alerting: { alertmanagers: [{ static_configs: [{ targets: alertmanagers }] }] },
  });
  const prometheus = await run(world, "prometheus", "prometheus", { "prometheus.yml": config, "rules.yml": JSON.stringify({ groups: [{ name: "hosts", rules }] }) }, (dir) => [
    `--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`, `--web.listen-address=${address}`, "--rules.alert.resend-delay=1s",
  ]);
  // It drops what it should send before it knows its receivers.
  await eventually(async () => {
    const { data } = await (await answers(`http://${address}/api/v1/alertmanagers`)).json();
    assert.equal(data.activeAlertmanagers.length, alertmanagers.length);
    const seen = await (await answers(`http://${address}/api/v1/query?query=up_by_hand`)).json();
    assert.ok(seen.data.result.length > 0, "nothing is scraped yet");
  });
  return prometheus;
}

const execute = promisify(execFile);

/** Runs amtool against a server that speaks Alertmanager's API, and returns what it prints. */
export async function amtool(url, ...args) {
  const { stdout } = await execute(join(root, ".cache/alertmanager/amtool"), [`--alertmanager.url=${url}`, ...args], { env: { HOME: "/nonexistent" } }); // no settings of the user's
  return stdout.trim();
}
