/** The way back when a part of the page did not come. It is in index.html, so that it is there before everything else. */
declare global {
  interface Window {
    /** Load the page anew after a moment; false if that was tried often enough. */
    loadAnew?: () => boolean;
    /** The same for a page that cannot show anything: says so when it was tried often enough. */
    pageFailed?: () => void;
  }
}

/** How Chromium, Firefox and Safari call a module that did not come, and Vite a style sheet. */
const MISSING = /imported module|module script|preload CSS/;

/** Whether the page is loaded anew because of this: no browser asks again for a module that did not come. */
export function loadsAnewFor(error: unknown): boolean {
  return error instanceof Error && MISSING.test(error.message) && (window.loadAnew?.() ?? false);
}
