// The client of the board protocol: a snapshot over HTTP, then deltas from its position over a websocket.
import { Problem, sentence } from "../api/client";
import type { Board, Position, StreamMessage } from "../api/model";
import { staleAfter } from "../lib/live";
import type { BoardStore } from "../store/board";

export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((e: { data: unknown }) => void) | null;
  onclose: ((e: { code: number; reason: string }) => void) | null;
  close(): void;
}

export interface StreamOptions {
  store: BoardStore;
  fetchBoard: (signal: AbortSignal) => Promise<Board>;
  openSocket: (position: Position) => Socket;
  random?: () => number;
  now?: () => number;
}

const firstDelay = 500;
const longestDelay = 15_000;
// A connection that has said nothing for so long is dead, whatever the browser believes.
const deadAfter = 2 * staleAfter;

/** The wait before attempt n (from 0): doubled each time, and spread so that clients do not come back together. */
export function backoff(n: number, random: () => number): number {
  const full = Math.min(longestDelay, firstDelay * 2 ** Math.min(n, 20));
  return full / 2 + (full / 2) * random();
}

/** The address of the stream from a position. */
export function streamURL(origin: string, p: Position): string {
  const u = new URL("/api/v1/stream", origin);
  u.protocol = u.protocol === "https:" ? "wss:" : "ws:";
  u.searchParams.set("epoch", p.epoch);
  u.searchParams.set("offset", String(p.offset));
  return u.href;
}

/** Why there is no board, in one sentence for people. */
function reason(error: unknown): string {
  if (error instanceof Problem) return `The server answered ${error.status}${error.code === "" ? "" : `, code ${error.code}`}.`;
  return sentence(error);
}

export class BoardStream {
  private readonly o: Required<StreamOptions>;
  private position: Position | null = null;
  private socket: Socket | null = null;
  private abort: AbortController | null = null;
  private retry: ReturnType<typeof setTimeout> | null = null;
  private watch: ReturnType<typeof setTimeout> | null = null;
  private attempts = 0;
  private stopped = true;

  constructor(options: StreamOptions) {
    this.o = { random: Math.random, now: Date.now, ...options };
  }

  start(): void {
    this.stopped = false;
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    this.drop();
  }

  /** Tries at once instead of waiting for the next attempt. */
  reconnect(): void {
    if (this.stopped) return;
    this.drop();
    this.attempts = 0;
    this.connect();
  }

  /** Fetches the board again, whatever is at hand. */
  reload(): void {
    this.position = null;
    this.reconnect();
  }

  private drop(): void {
    this.abort?.abort();
    this.abort = null;
    if (this.retry !== null) clearTimeout(this.retry);
    if (this.watch !== null) clearTimeout(this.watch);
    this.retry = this.watch = null;
    if (this.socket !== null) {
      this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
      this.socket.close();
      this.socket = null;
    }
  }

  private connect(): void {
    if (this.position === null) void this.fetch();
    else this.open(this.position);
  }

  private async fetch(): Promise<void> {
    const abort = new AbortController();
    this.abort = abort;
    try {
      const board = await this.o.fetchBoard(abort.signal);
      if (abort.signal.aborted) return;
      this.o.store.load(board);
      this.heard();
      this.position = board.position;
      this.open(board.position);
    } catch (error) {
      if (!abort.signal.aborted) this.later(reason(error));
    }
  }

  private open(position: Position): void {
    let socket: Socket;
    try {
      socket = this.o.openSocket(position);
    } catch (error) {
      this.later(reason(error));
      return;
    }
    this.socket = socket;
    this.guard();
    socket.onopen = () => this.heard(); // the handshake is a sign of life, too
    socket.onmessage = (e) => this.take(e.data);
    socket.onclose = (e) => {
      this.drop();
      this.later(e.reason || `The connection was closed (${e.code}).`);
    };
  }

  private later(reason: string): void {
    if (this.stopped) return;
    const wait = backoff(this.attempts++, this.o.random);
    this.o.store.setConnection({ phase: "broken", tryAt: this.o.now() + wait, reason });
    this.retry = setTimeout(() => this.connect(), wait);
  }

  private heard(): void {
    this.o.store.setConnection({ phase: "open", heardAt: this.o.now(), tryAt: null, reason: null });
    this.guard();
  }

  private guard(): void {
    if (this.watch !== null) clearTimeout(this.watch);
    this.watch = setTimeout(() => {
      this.drop();
      this.later(`Nothing was heard for ${deadAfter / 1000} s.`);
    }, deadAfter);
  }

  private take(data: unknown): void {
    let m: StreamMessage;
    try {
      m = JSON.parse(String(data)) as StreamMessage;
    } catch {
      this.resync("The server sent what is no message.");
      return;
    }
    switch (m.type) {
      case "delta":
        for (const row of m.upsert) this.o.store.upsert(row);
        for (const id of m.remove) this.o.store.remove(id);
        break;
      case "ping":
        this.o.store.setFigures(m.comparison, m.counts);
        this.o.store.setClockOffset(Date.parse(m.time) - this.o.now());
        break;
      case "resync":
        this.resync(null);
        return;
      default:
        return; // a newer server may say more
    }
    this.attempts = 0;
    this.position = m.position;
    this.heard();
  }

  /** Begins with a new board; after nonsense not at once, lest it comes again and again. */
  private resync(nonsense: string | null): void {
    this.drop();
    this.position = null;
    if (nonsense === null && this.attempts++ === 0) this.connect();
    else this.later(nonsense ?? "The board changed under the stream.");
  }
}
