// The program under test: a process of its own with a data folder of its own, spoken to over HTTP.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../", import.meta.url));
const binary = process.env.SIGNALBOX ?? join(root, "bin/signalbox");

/** How long anything may take, in milliseconds. It only bounds a failure: what happens is seen at once. */
export const patience = 30_000;

/** Calls check until it does not throw any more, and returns what it returns; after the limit (ms) throws its last error. */
export async function eventually(check, limit = patience) {
  const deadline = Date.now() + limit;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await pause(50);
  }
}

export class Program {
  #command;
  #config;
  #process = null;
  #log = "";
  #listen = "127.0.0.1:0";
  #dataDir = "";
  url = "";

  /** What to start: serve or demo, with the text of a configuration or none. */
  constructor(command = "serve", config = "") {
    this.#command = command;
    this.#config = config;
  }

  /** Starts the program, on the address of the last start when there was one, and waits until it is ready. */
  async start() {
    this.#dataDir ||= await mkdtemp(join(tmpdir(), "signalbox-e2e-"));
    const args = [this.#command, "--listen", this.#listen, "--data-dir", this.#dataDir];
    if (this.#config !== "") {
      const file = join(this.#dataDir, "signalbox.yml");
      await writeFile(file, this.#config);
      args.push("--config", file);
    }
    const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    let failure = null;
    child.on("error", (error) => { failure = error; });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => { this.#log += text; });
    this.url = await eventually(() => {
      if (failure !== null) throw failure;
      const said = /listens on (http:\/\/([\d.:]+\d))/.exec(this.#log);
      assert.ok(said, `no address in the log of ${binary}:\n${this.#log}`);
      this.#listen = said[2];
      return said[1];
    });
    await eventually(async () => assert.equal((await fetch(`${this.url}/-/ready`)).status, 200));
  }

  /** Ends the process as a crash would, without a chance to save anything. */
  async kill() {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async close() {
    await this.kill();
    await rm(this.#dataDir, { recursive: true, force: true });
  }

  get log() { return this.#log; }

  async get(path) {
    const answer = await fetch(this.url + path);
    assert.equal(answer.status, 200, `GET ${path}`);
    return answer.json();
  }

  async #send(method, path, body, kind) {
    const answer = await fetch(this.url + path, { method, body, headers: { "Content-Type": kind } });
    const text = await answer.text();
    assert.equal(answer.status, 200, `${method} ${path}: ${text}`);
  }

  /** Takes over the estate of these tests. */
  async putEstate() {
    await this.#send("PUT", "/api/v1/estate", await readFile(new URL("estate.yaml", import.meta.url)), "application/yaml");
  }

  /** Sends alerts as a Prometheus does. */
  post(...alerts) {
    return this.#send("POST", "/api/v2/alerts", JSON.stringify(alerts), "application/json");
  }
}

/** A firing alert about an item of the estate, or about something unknown. */
export function firing(alertname, instance, labels = {}) {
  return {
    labels: { alertname, instance, severity: "critical", ...labels },
    annotations: { summary: `${alertname} on ${instance}`, runbook_url: `https://runbooks.example.com/${alertname}` },
    generatorURL: `https://prometheus.example.com/graph?g0.expr=${alertname}`,
  };
}

/** The three hosts of the rack cannot be reached; their switch says nothing. */
export const rackIsDark = ["host-a", "host-b", "host-c"].map((host) => firing("HostUnreachable", `${host}:9100`));
