import type { Position } from "../api/model";
import { type Socket, streamURL } from "./stream";

/** Opens the websocket of the browser as the stream sees it. */
export function openWebSocket(position: Position): Socket {
  const ws = new WebSocket(streamURL(location.origin, position));
  const socket: Socket = { onopen: null, onmessage: null, onclose: null, close: () => ws.close() };
  ws.addEventListener("open", () => socket.onopen?.());
  ws.addEventListener("message", (e) => socket.onmessage?.({ data: e.data }));
  ws.addEventListener("close", (e) => socket.onclose?.({ code: e.code, reason: e.reason }));
  return socket;
}
