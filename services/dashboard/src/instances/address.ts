/** Filters as they stand in the address, without what is as usual. */
import { STATUSES, type Provider } from "../api/types";
import { NO_FILTERS, type Filters, type SortKey } from "./view";

export type FilterSearch = {
  q?: string;
  status?: Filters["status"] & string;
  provider?: Provider;
  sort?: SortKey;
  desc?: boolean;
};

const SORTS: readonly SortKey[] = ["name", "status", "provider", "user", "port", "seen", "today", "created"];

export function readFilters(search: Record<string, unknown>): FilterSearch {
  const found: FilterSearch = {};
  if (typeof search.q === "string" || typeof search.q === "number") found.q = String(search.q);
  const status = (["attention", ...STATUSES] as const).find((each) => each === search.status);
  if (status) found.status = status;
  if (typeof search.provider === "string") found.provider = search.provider as Provider;
  const sort = SORTS.find((each) => each === search.sort);
  if (sort) found.sort = sort;
  if (search.desc === true) found.desc = true;
  return found;
}

let last: FilterSearch = {};

/** Keep the filters of the list for the way back to it. */
export function rememberSearch(search: FilterSearch): void {
  last = search;
}

export function lastSearch(): FilterSearch {
  return last;
}

export function filtersOf(search: FilterSearch): Filters {
  return {
    search: search.q ?? "",
    status: search.status ?? null,
    provider: search.provider ?? null,
    sort: search.sort ?? NO_FILTERS.sort,
    descending: search.desc ?? false,
  };
}

export function searchOf(filters: Filters): FilterSearch {
  return {
    ...(filters.search && { q: filters.search }),
    ...(filters.status && { status: filters.status }),
    ...(filters.provider && { provider: filters.provider }),
    ...(filters.sort !== NO_FILTERS.sort && { sort: filters.sort }),
    ...(filters.descending && { desc: true }),
  };
}
