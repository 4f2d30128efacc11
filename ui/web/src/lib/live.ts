// What the connection is worth at a moment.
import type { Connection } from "../store/board";

export type Liveness = "connecting" | "live" | "slow" | "stale" | "disconnected" | "paused";

// Pings come every 5 s.
export const slowAfter = 6_000;
export const staleAfter = 15_000;

/** The one word for the connection. Trouble goes before a pause: a paused board may be wrong, too. */
export function liveness(c: Connection, paused: boolean, now: number): Liveness {
  if (c.heardAt === null) return c.phase === "broken" ? "disconnected" : "connecting";
  if (c.phase === "broken" || c.phase === "loading") return "disconnected";
  if (now - c.heardAt >= staleAfter) return "stale";
  if (paused) return "paused";
  return now - c.heardAt >= slowAfter ? "slow" : "live";
}

export const livenessWords: Record<Liveness, string> = {
  connecting: "Connecting", live: "Live", slow: "Slow", stale: "Stale", disconnected: "Disconnected", paused: "Paused",
};
