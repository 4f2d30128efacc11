// A board that nobody looks at stops moving, so that what came meanwhile can be seen on return.
import type { BoardStore } from "../store/board";

export const pauseAfter = 10 * 60_000;

/** Pauses the board when the page has been hidden for ten minutes. Returns what ends the watch. */
export function pauseWhenHidden(store: BoardStore): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => store.pause(Date.now()), pauseAfter);
  };
  document.addEventListener("visibilitychange", look);
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}
