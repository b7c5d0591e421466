import type { Draft } from "./draft";

/** What every part of the form needs. */
export type Form = {
  draft: Draft;
  change: (part: Partial<Draft>, field: string) => void;
  /** What is said below a field; null for nothing. */
  message: (field: string) => string | null;
};
