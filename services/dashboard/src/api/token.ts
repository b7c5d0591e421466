/** The access token of this browser: kept for the tab, or on this device where the person asks for it. */
const KEY = "mim-token";
const listeners = new Set<() => void>();

function read(storage: () => Storage): string | null {
  try {
    return storage().getItem(KEY);
  } catch {
    return null; // storage may be forbidden
  }
}

let token = read(() => sessionStorage) ?? read(() => localStorage);

export const accessToken = {
  get: (): string | null => token,

  set(value: string, remember: boolean): void {
    token = value;
    (remember ? localStorage : sessionStorage).setItem(KEY, value);
    listeners.forEach((tell) => tell());
  },

  clear(): void {
    token = null;
    for (const storage of [sessionStorage, localStorage]) storage.removeItem(KEY);
    listeners.forEach((tell) => tell());
  },

  subscribe(tell: () => void): () => void {
    listeners.add(tell);
    return () => listeners.delete(tell);
  },
};
