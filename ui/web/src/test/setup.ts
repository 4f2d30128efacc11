// What jsdom lacks of a browser.
import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

afterEach(cleanup);
// It only bounds a failure.
configure({ asyncUtilTimeout: 20_000 });

HTMLDialogElement.prototype.showModal = function showModal(this: HTMLDialogElement) {
  this.open = true;
};
HTMLDialogElement.prototype.close = function close(this: HTMLDialogElement) {
  if (!this.open) return;
  this.open = false;
  this.dispatchEvent(new Event("close"));
};
Element.prototype.scrollIntoView = () => undefined;

// A list that is 0 px high has no rows: the virtualiser measures with these.
Object.defineProperty(HTMLElement.prototype, "clientHeight", { configurable: true, get: () => 600 });
Object.defineProperty(HTMLElement.prototype, "clientWidth", { configurable: true, get: () => 900 });
globalThis.ResizeObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
// Nothing moves in a test.
globalThis.matchMedia = (media) => Object.assign(new EventTarget(), { media, matches: media.includes("reduced-motion") }) as MediaQueryList;
