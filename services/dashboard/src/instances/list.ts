/** What table and cards have in common. */
import type { Instance } from "../api/types";
import type { Filters } from "./view";

export type ListProps = {
  instances: Instance[];
  filters: Filters;
  onFilters: (filters: Filters) => void;
  selected: ReadonlySet<string>;
  onSelected: (selected: ReadonlySet<string>) => void;
};

export function toggled(selected: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(selected);
  if (!next.delete(id)) next.add(id);
  return next;
}
