// The story that the demo tells, as it stands on the board.
import assert from "node:assert/strict";
import { eventually } from "./program.mjs";

// The last part of the story comes 40 s after the start.
const wholeStory = 90_000;

const causedBy = (incidents, kind, id) => incidents.find((i) => i.causes[0]?.[kind] === id && i.state !== "resolved");

/** Waits until storm, deploy and plant are on the board, each with all its alerts, and returns their incidents. */
export function wholeDemo(program) {
  return eventually(async () => {
    const { incidents } = await program.get("/api/v1/board");
    const storm = causedBy(incidents, "item", "core-2");
    const deploy = causedBy(incidents, "change", "deploy-77");
    const plant = causedBy(incidents, "item", "plc-gateway-2");
    assert.ok(storm?.priority === 1 && storm.alertCounts.total >= 140, "the silent switch is named");
    assert.ok(deploy?.alertCounts.total >= 7, "the release is named");
    assert.ok(plant?.alertCounts.total >= 12, "the gateway is named");
    return { storm, deploy, plant };
  }, wholeStory);
}
