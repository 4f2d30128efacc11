// Lays the path of a failure out as a track diagram: where monitoring looks from on the left, effects on the right.
import type { Path, PathNode } from "../api/model";

export interface Point { x: number; y: number }

export interface Station extends Point {
  node: PathNode;
  /** Where its name stands. */
  label: "above" | "below" | "beside";
}

export interface Track {
  from: Point;
  to: Point;
  lost: boolean;
  inferred: boolean;
}

/** A branch behind the cause: one item, and a square for each that it takes along. */
export interface Branch extends Point {
  /** Null: the rest, which has no branch of its own. */
  node: PathNode | null;
  name: string;
  squares: { x: number; y: number; node: PathNode }[];
  firing: number;
  total: number;
}

export interface Picture {
  width: number;
  height: number;
  stations: Station[];
  tracks: Track[];
  branches: Branch[];
}

export const width = 480;
const maxBranches = 5;
const rowStep = 24;
const square = 9;
const squaresAt = 340;
const squaresInRow = 10;

/** Which nodes the failure reaches from which, breadth first from the cause: each has one parent. */
function tree(path: Path, cause: string): Map<string, string[]> {
  const next = new Map<string, string[]>();
  for (const l of path.links) if (l.lost) next.set(l.from, [...(next.get(l.from) ?? []), l.to]);
  const children = new Map<string, string[]>();
  const seen = new Set([cause]);
  for (const queue = [cause]; queue.length > 0;) {
    const at = queue.shift() ?? "";
    for (const to of next.get(at) ?? []) {
      if (seen.has(to)) continue;
      seen.add(to);
      children.set(at, [...(children.get(at) ?? []), to]);
      queue.push(to);
    }
  }
  return children;
}

function below(children: Map<string, string[]>, id: string): string[] {
  const out: string[] = [];
  for (const queue = [...(children.get(id) ?? [])]; queue.length > 0;) {
    const at = queue.shift() ?? "";
    out.push(at);
    queue.push(...(children.get(at) ?? []));
  }
  return out;
}

/** The branches of the cause: those that carry most have a line of their own, the others share the last. */
function branch(path: Path, cause: PathNode, nodes: Map<string, PathNode>): { node: PathNode | null; members: PathNode[] }[] {
  const children = tree(path, cause.id);
  const known = (ids: string[]) => ids.flatMap((id) => nodes.get(id) ?? []);
  const own = known(children.get(cause.id) ?? [])
    .map((node) => ({ node, members: known(below(children, node.id)) }))
    .sort((a, b) => b.members.length - a.members.length || (a.node.name < b.node.name ? -1 : 1));
  const few = own.length <= maxBranches;
  const lines = few ? own : own.filter((b) => b.members.length > 0).slice(0, maxBranches - 1);
  const drawn = new Set([cause.id, ...lines.flatMap((b) => [b.node.id, ...b.members.map((m) => m.id)])]);
  const rest = path.nodes.filter((n) => n.role === "affected" && !drawn.has(n.id));
  for (const b of own) {
    if (!drawn.has(b.node.id) && b.node.role !== "affected") rest.push(...b.members.filter((m) => !rest.includes(m) && !drawn.has(m.id)));
  }
  return rest.length === 0 ? lines : [...lines, { node: null, members: rest }];
}

/** Null when there is nothing to draw: no cause, or nothing before and behind it. */
export function layOut(path: Path): Picture | null {
  const nodes = new Map(path.nodes.map((n) => [n.id, n]));
  const cause = path.nodes.find((n) => n.role === "cause");
  if (cause === undefined) return null;
  const lines = branch(path, cause, nodes);
  const before = path.nodes.filter((n) => n.role === "vantage" || (n.role === "way" && !lines.some((b) => b.node === n || b.members.includes(n))));
  if (lines.length === 0 && before.length === 0) return null;
  const siblings = path.nodes.filter((n) => n.role === "sibling").slice(0, 1);
  const more = path.nodes.filter((n) => n.role === "sibling").length - siblings.length;

  // Room for a sibling's branch, else for the names that stand above the way.
  const top = siblings.length > 0 ? 62 : before.length > 1 ? 28 : 16;
  const heights = lines.map((b) => Math.max(1, Math.ceil(Math.min(b.members.length, 40) / squaresInRow)));
  const tall = heights.reduce((s, h) => s + rowStep + (h - 1) * square, 0);
  const causeAt: Point = { x: before.length === 0 ? 60 : 166, y: Math.max(top + 36, top + tall / 2) };
  const wayY = before.length === 0 ? causeAt.y : Math.max(top, causeAt.y - 40);

  const shown = before.length > 3 ? [before[0], ...before.slice(-2)].filter((n) => n !== undefined) : before;
  const step = 96 / Math.max(1, shown.length - 1);
  const stations: Station[] = shown.map((node, i) => ({ node, x: 16 + i * step, y: wayY, label: i % 2 === 0 ? "below" : "above" }));
  stations.push({ node: cause, ...causeAt, label: "below" });
  const tracks: Track[] = [];
  for (const [i, s] of stations.entries()) {
    const to = stations[i + 1];
    if (to !== undefined) tracks.push({ from: s, to, lost: to.node === cause, inferred: false });
  }
  const last = stations[shown.length - 1];
  if (last !== undefined && last.node !== cause) {
    for (const node of siblings) {
      const at = { x: 196, y: Math.max(22, wayY - 38) };
      stations.push({ node: more > 0 ? { ...node, name: `${node.name} and ${more} more` } : node, ...at, label: "beside" });
      tracks.push({ from: last, to: at, lost: false, inferred: false });
    }
  }

  let y = causeAt.y - tall / 2 + rowStep / 2;
  const branches = lines.map((b, i): Branch => {
    const at = { x: 236, y };
    y += rowStep + ((heights[i] ?? 1) - 1) * square;
    const link = b.node === null ? undefined : path.links.find((l) => l.to === b.node?.id && l.lost);
    tracks.push({ from: causeAt, to: at, lost: true, inferred: link?.inferred ?? b.members.every((m) => m.state !== "firing") });
    const all = b.node === null || b.members.length > 0 ? b.members : [b.node];
    return {
      ...at, node: b.node, name: b.node?.name ?? (lines.length === 1 ? "Behind it" : "Others"),
      squares: b.members.slice(0, 40).map((node, k) => ({
        node, x: squaresAt + (k % squaresInRow) * square, y: at.y - 3 + Math.floor(k / squaresInRow) * square,
      })),
      firing: all.filter((m) => m.state === "firing" || m.state === "reporting").length, total: all.length,
    };
  });
  return { width, height: Math.max(y - rowStep / 2 + 8, causeAt.y + 54, wayY + 36), stations, tracks, branches };
}

/** A line that leaves level, climbs at 45° at most and arrives level, as on a signal box's diagram. */
export function trackPath(t: Pick<Track, "from" | "to">): string {
  const { from, to } = t;
  const rise = Math.abs(to.y - from.y);
  const run = to.x - from.x;
  if (rise < 0.5) return `M${from.x} ${from.y}H${to.x}`;
  const slope = Math.min(rise, run * 0.7);
  const lead = (run - slope) / 2;
  return `M${from.x} ${from.y}h${round(lead)}L${round(to.x - lead)} ${to.y}H${to.x}`;
}

const round = (n: number): number => Math.round(n * 10) / 10;
