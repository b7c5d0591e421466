/** Short messages that come and go. */
export type Toast = { id: string; message: string; title?: string; tone: "good" | "bad" | "person" };

const MOST = 4;
const SHOWN_MS = { good: 4000, bad: 10_000, person: 10_000 } as const;

let toasts: readonly Toast[] = [];
let made = 0;
const listeners = new Set<() => void>();

function set(next: readonly Toast[]): void {
  toasts = next;
  listeners.forEach((tell) => tell());
}

/** Show a message; one with the same id takes the place of the one before. */
export function toast(given: Omit<Toast, "id"> & { id?: string }): void {
  const id = given.id ?? `toast-${(made += 1)}`;
  set([...toasts.filter((each) => each.id !== id), { ...given, id }].slice(-MOST));
  setTimeout(() => dismiss(id), SHOWN_MS[given.tone]);
}

export function dismiss(id: string): void {
  set(toasts.filter((each) => each.id !== id));
}

export const shownToasts = {
  get: (): readonly Toast[] => toasts,
  subscribe(tell: () => void): () => void {
    listeners.add(tell);
    return () => listeners.delete(tell);
  },
};
