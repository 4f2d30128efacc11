// A browser test: the program, a browser that looks at it, and the words to speak of what it shows.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { launch, viewport } from "./chromium.mjs";
import { eventually, patience, Program, root } from "./program.mjs";

const failures = join(root, ".cache/e2e");

/** What one person sees in one window. Everything is found by its role and name, as a screen reader would. */
export class Window {
  /** What the browser complained about: script errors, refused content, failed requests. */
  complaints = [];

  constructor(page) {
    this.page = page;
    page.setDefaultTimeout(patience);
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => { if (message.type() === "error") this.complaints.push(message.text()); });
  }

  /** The row of the queue that says this. */
  row(text) {
    return this.page.getByRole("grid", { name: "Incidents" }).getByRole("row").filter({ hasText: text });
  }

  /** The numbers of the incidents of the queue, in its order. */
  async numbers() {
    const rows = await this.page.getByRole("grid", { name: "Incidents" }).getByRole("row").allInnerTexts();
    return rows.flatMap((text) => /INC-\d+/.exec(text)?.[0] ?? []);
  }

  panel(number) {
    return this.page.getByRole("complementary", { name: `Incident ${number}` });
  }

  /** The part of the panel under a heading. */
  part(number, heading) {
    return this.panel(number).locator("section").filter({ has: this.page.getByRole("heading", { name: heading }) });
  }

  button(name) {
    return this.page.getByRole("button", { name });
  }

  dialog(name) {
    return this.page.getByRole("dialog", { name });
  }

  /** Waits for the one word on the state of the connection. */
  async connection(word) {
    await this.page.getByRole("status").filter({ hasText: new RegExp(`^${word}$`) }).waitFor();
  }

  /** Waits until it is there, once at least. */
  async sees(locator) {
    await locator.first().waitFor();
    return locator;
  }

  async misses(locator) {
    await locator.first().waitFor({ state: "detached" });
  }

  async press(...keys) {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Marks the document, so that a reload would show. */
  async mark() {
    await this.page.evaluate(() => { globalThis.marked = true; });
  }

  async assertNotReloaded() {
    assert.equal(await this.page.evaluate(() => globalThis.marked), true, "the page was loaded again");
  }

  async introduce(name) {
    await this.button("Say who you are").click();
    const dialog = this.dialog("Who are you?");
    await dialog.getByLabel("Name").fill(name);
    await dialog.getByRole("button", { name: "Keep" }).click();
    await this.misses(dialog);
  }
}

class World {
  windows = [];
  /** What runs beside the program, each with its name, its log and a way to stop it. */
  peers = [];

  constructor({ command, config }) {
    this.program = new Program(command, config);
  }

  async open({ estate = true, alerts = [] }) {
    await this.program.start();
    if (estate) await this.program.putEstate();
    if (alerts.length > 0) await this.program.post(...alerts);
    this.browser = await launch();
  }

  /** Opens a window of a person of its own: nothing is shared but the server. */
  async look(path = "/", options = {}) {
    const context = await this.browser.newContext({ viewport, ...options });
    const window = new Window(await context.newPage());
    this.windows.push(window);
    await window.page.goto(this.program.url + path);
    return window;
  }

  async keepEvidence(name) {
    await mkdir(failures, { recursive: true });
    const base = join(failures, name.replaceAll(/[^a-z0-9]+/gi, "-"));
    for (const { name: whose, log } of [{ name: "signalbox", log: this.program.log }, ...this.peers]) {
      await writeFile(`${base}-${whose}.log`, log);
      if (this.peers.length > 0) console.error(`--- the end of the log of ${whose}\n${log.slice(-4000)}`);
    }
    for (const [i, { page, complaints }] of this.windows.entries()) {
      await page.screenshot({ path: `${base}-${i + 1}.png` }).catch(() => {}); // the browser may be gone
      console.error(`window ${i + 1}: ${base}-${i + 1}.png ${complaints.join("; ")}`);
    }
  }

  async close() {
    await this.browser?.close();
    await Promise.all(this.peers.map((peer) => peer.stop()));
    await this.program.close();
  }
}

/**
 * A test in a world of its own. Options: command (default serve), the text of a config, estate (false: none), alerts that are there
 * before anybody looks, complaints of the browser that are expected (a pattern).
 */
export function boardTest(name, options, run) {
  test(name, async () => {
    const world = new World(options);
    try {
      await world.open(options);
      await run(world);
      for (const { complaints } of world.windows) {
        assert.deepEqual(complaints.filter((c) => !options.complaints?.test(c)), [], "the browser complained");
      }
    } catch (error) {
      await world.keepEvidence(name);
      throw error;
    } finally {
      await world.close();
    }
  });
}

export { assert, eventually };
