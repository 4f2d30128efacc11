// Takes the picture of the README: the board of the demo when storm, deploy and plant are on it, with the P1 open.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { launch, viewport } from "../e2e/chromium.mjs";
import { wholeDemo } from "../e2e/demo.mjs";
import { eventually, Program } from "../e2e/program.mjs";

const to = process.argv[2] ?? fileURLToPath(new URL("../../../docs/board.png", import.meta.url));
const program = new Program("demo");
const browser = await launch();
try {
  const began = Date.now();
  await program.start();
  const page = await (await browser.newContext({ viewport, colorScheme: "dark" })).newPage();
  await page.goto(program.url);
  await page.getByRole("grid", { name: "Incidents" }).getByRole("row").nth(9).waitFor(); // the head and nine incidents
  console.log(`nine incidents were on the board ${((Date.now() - began) / 1000).toFixed(1)} s after the start`);
  const { storm } = await wholeDemo(program);
  await page.getByRole("row").filter({ hasText: storm.number }).click();
  const panel = page.getByRole("complementary", { name: `Incident ${storm.number}` });
  await panel.getByRole("img").first().waitFor();
  await panel.getByRole("heading", { name: /^Timeline/ }).waitFor();
  // The figures of the header come every few seconds.
  const { comparison } = await program.get("/api/v1/status");
  await eventually(async () => {
    const shown = /grouping\s+(\d+)/.exec(await page.getByRole("banner").innerText())?.[1];
    assert.ok(Number(shown) >= comparison.groups, `the header counts ${shown} of ${comparison.groups} groups`);
  });
  await page.mouse.move(0, 0);
  // The fonts, and the marks of rows that have just changed.
  await page.evaluate(() => globalThis.document.fonts.ready);
  await eventually(async () => {
    const moving = await page.evaluate(() => globalThis.document.getAnimations().filter((a) => a.playState === "running" && a.effect.getTiming().iterations !== Infinity).length);
    assert.equal(moving, 0, "animations are running");
  });
  await page.screenshot({ path: to });
  console.log(to);
} finally {
  await browser.close();
  await program.close();
}
