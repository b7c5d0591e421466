/** What the browser has and jsdom has not, the words, and a gateway that answers from memory. */
import { cleanup, configure } from "@testing-library/react";
import { afterAll, afterEach, beforeAll } from "vitest";
import { startWords } from "../words";
import { server } from "./gateway";

class Observer implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

const media = (query: string): MediaQueryList => ({
  matches: false,
  media: query,
  onchange: null,
  addListener: () => undefined,
  removeListener: () => undefined,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
  dispatchEvent: () => false,
});

Object.assign(window, { ResizeObserver: Observer, matchMedia: media, scrollTo: () => undefined });
Object.assign(window.HTMLElement.prototype, { scrollIntoView: () => undefined, scrollTo: () => undefined });
Object.defineProperty(document, "fonts", { value: new EventTarget(), configurable: true });
configure({ asyncUtilTimeout: 20_000 }); // a busy machine loads a page slowly when it is first opened
for (const kind of ["offset", "client"]) {
  Object.defineProperty(window.HTMLElement.prototype, `${kind}Height`, { value: 600, configurable: true });
  Object.defineProperty(window.HTMLElement.prototype, `${kind}Width`, { value: 1200, configurable: true });
}

beforeAll(async () => {
  server.listen({ onUnhandledFrame: "error" });
  await startWords("en");
});
afterEach(() => {
  cleanup();
  server.resetHandlers();
  localStorage.clear();
  sessionStorage.clear();
});
afterAll(() => server.close());
