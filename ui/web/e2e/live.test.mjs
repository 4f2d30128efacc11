// The board is live for everybody, says when it is not, and serves no stranger.
import { createServer } from "node:http";
import { firing, rackIsDark } from "./program.mjs";
import { assert, boardTest, eventually } from "./world.mjs";

const diskFull = firing("DiskFull", "shop-db:9187");

boardTest("a killed server is seen, and the board comes back by itself with the right rows", { alerts: [diskFull], complaints: /ERR_|WebSocket/ }, async (world) => {
  const { program } = world;
  const window = await world.look();
  await window.sees(window.row("INC-000001"));
  await window.connection("Live");
  await window.mark();

  await program.kill();
  await window.connection("Disconnected");
  const banner = window.page.getByRole("alert").filter({ hasText: "The board shows" });
  await window.sees(banner);
  await window.sees(window.row("INC-000001")); // what was known stays in sight

  await program.start();
  await program.post(...rackIsDark);
  await window.connection("Live");
  await window.misses(banner);
  await window.sees(window.row("INC-000002").getByText("Rack switch 1"));
  const { incidents } = await program.get("/api/v1/board");
  const rows = await eventually(async () => {
    const numbers = await window.numbers();
    assert.deepEqual(numbers.toSorted(), incidents.map((i) => i.number).sort());
    return numbers;
  });
  assert.equal(rows.length, 2);

  // And what comes after that comes live again.
  await program.post({ ...diskFull, endsAt: new Date().toISOString() });
  await eventually(async () => assert.equal((await program.get("/api/v1/incidents/INC-000001")).alertCounts.resolved, 1));
  await window.page.getByRole("link", { name: /^Alerts 3/ }).waitFor();
  await window.assertNotReloaded();
});

boardTest("two people see each other's commands", { alerts: rackIsDark }, async (world) => {
  const [maria, tom] = [await world.look("/incidents/INC-000001"), await world.look()];
  await tom.sees(tom.row("INC-000001").getByText("New", { exact: true }));
  await tom.mark();
  await maria.introduce("maria");
  await maria.panel("INC-000001").getByRole("button", { name: /^Assign to me/ }).click();
  await tom.sees(tom.row("INC-000001").getByText("maria"));
  await maria.panel("INC-000001").getByRole("button", { name: /^Acknowledge/ }).click();
  await tom.sees(tom.row("INC-000001").getByText("acknowledged"));
  await tom.sees(tom.row("INC-000001").getByText("In progress"));
  await tom.assertNotReloaded();
});

boardTest("a paused board stays as it is and says what waits", { alerts: [diskFull] }, async (world) => {
  const window = await world.look();
  await window.sees(window.row("INC-000001"));
  await window.button(/^Pause updates/).click();
  await window.connection("Paused");
  await world.program.post(...rackIsDark);
  await window.sees(window.page.getByRole("status").filter({ hasText: "1 new incident, the highest P" }));
  assert.deepEqual(await window.numbers(), ["INC-000001"]);
  await window.button(/^Resume P/).click();
  await window.sees(window.row("INC-000002"));
  await window.connection("Live");
});

boardTest("the page of all alerts shows what is bound and what is not", { alerts: [...rackIsDark, firing("BackupFailed", "nobody-knows:1")] }, async (world) => {
  const window = await world.look();
  await window.page.getByRole("link", { name: /^Alerts 4/ }).click();
  const table = window.page.getByRole("grid");
  await window.sees(table.getByRole("row").filter({ hasText: "BackupFailed" }).getByText("unbound"));
  const bound = table.getByRole("row").filter({ hasText: "host-b" });
  assert.equal(await bound.getByRole("link", { name: "Runbook" }).getAttribute("href"), "https://runbooks.example.com/HostUnreachable");
  await bound.getByRole("link", { name: "INC-000001" }).click();
  await window.sees(window.panel("INC-000001"));
});

boardTest("a silenced incident moves to the tab Suppressed, stays there over a crash, and comes back with the end of the silence", { alerts: [diskFull], complaints: /ERR_|WebSocket/ }, async (world) => {
  const { program } = world;
  const window = await world.look();
  await window.sees(window.row("INC-000001"));
  const answer = await fetch(`${program.url}/api/v2/silences`, {
    method: "POST",
    body: JSON.stringify({
      matchers: [{ name: "alertname", value: "DiskFull", isRegex: false }], comment: "a larger disk is on its way", createdBy: "maria",
      startsAt: new Date().toISOString(), endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    }),
  });
  const { silenceID } = await answer.json();
  await window.misses(window.row("INC-000001"));
  await program.kill();
  await program.start();
  await window.page.goto(`${program.url}/?tab=suppressed`);
  await window.sees(window.row("INC-000001").getByText("Suppressed"));
  await fetch(`${program.url}/api/v2/silence/${silenceID}`, { method: "DELETE" });
  await window.misses(window.row("INC-000001"));
  await window.page.goto(program.url);
  await window.sees(window.row("INC-000001"));
});

boardTest("of a long queue only the rows in sight are in the page", {
  alerts: Array.from({ length: 600 }, (_, i) => firing(`Alert${String(i).padStart(3, "0")}`, `unknown-${i}:1`)),
}, async (world) => {
  const window = await world.look();
  await window.sees(window.row("Alert"));
  const grid = window.page.getByRole("grid", { name: "Incidents" });
  await eventually(async () => assert.equal(await grid.getAttribute("aria-rowcount"), "601"));
  const drawn = await grid.getByRole("row").count();
  assert.ok(drawn > 10 && drawn < 120, `${drawn} rows of 600 are in the page`);
  await window.press("End");
  const last = await window.sees(window.page.getByRole("row", { selected: true }));
  assert.equal(await last.getAttribute("aria-rowindex"), "601");
});

boardTest("pages of other origins can neither read, send nor listen", { complaints: /./ }, async (world) => {
  const { program } = world;
  for (const path of ["/", "/api/v1/board", "/api/v1/stream", "/metrics", "/-/ready", "/api/v1/openapi.yaml", "/nowhere"]) {
    const answer = await fetch(program.url + path, { headers: { Origin: "http://evil.example.com" } });
    assert.equal(answer.status, 403, path);
  }

  // A page that the operator happens to have open beside the board, on the same machine.
  const stranger = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end("<title>stranger</title>"));
  await new Promise((resolve) => stranger.listen(0, "127.0.0.1", resolve));
  try {
    const window = await world.look();
    await window.page.goto(`http://127.0.0.1:${stranger.address().port}/`);
    const got = await window.page.evaluate(async ({ url, alert }) => {
      const attempt = (promise) => promise.then(() => "done", () => "refused");
      return {
        read: await attempt(fetch(`${url}/api/v1/board`)),
        // Without a preflight the browser sends this; the server has to refuse it.
        send: await attempt(fetch(`${url}/api/v2/alerts`, { method: "POST", mode: "no-cors", body: JSON.stringify([alert]) })),
        listen: await new Promise((resolve) => {
          const socket = new WebSocket(`${url.replace("http", "ws")}/api/v1/stream`);
          socket.onopen = () => resolve("done");
          socket.onerror = () => resolve("refused");
        }),
      };
    }, { url: program.url, alert: diskFull });
    assert.deepEqual(got, { read: "refused", send: "done", listen: "refused" });
    assert.equal((await program.get("/api/v1/alerts")).total, 0, "the stranger's alert was taken");
  } finally {
    stranger.closeAllConnections();
    stranger.close();
  }
});
