// The demo, as somebody sees it who has just typed `make run`.
import { wholeDemo } from "./demo.mjs";
import { assert, boardTest, eventually } from "./world.mjs";

boardTest("the demo turns 140 alerts into one P1 beside a bad deploy and a lost gateway", { command: "demo", estate: false }, async (world) => {
  const window = await world.look();
  await eventually(async () => assert.equal((await window.numbers()).length, 9));
  await window.sees(window.row("Flapping"));
  await window.sees(window.row(/awaiting.vendor/i));

  const { storm, deploy, plant } = await wholeDemo(world.program);
  const first = await window.sees(window.row(storm.number));
  await window.sees(first.getByText("Core switch 2", { exact: true }));
  await window.sees(first.getByText("not itself reporting"));
  assert.match(await first.innerText(), /\bP?1\b/);
  await window.sees(window.row(deploy.number).getByText("checkout 4.12.0"));
  await window.sees(window.row(plant.number).getByText("PLC gateway 2"));
  assert.equal((await window.numbers())[0], storm.number, "the worst stands on top");
  assert.equal((await window.numbers()).length, 12);
});
