/** Instances with everything that a screen needs around them: filters, pages, figures and actions. */
import { useIsFetching, useIsMutating, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { asProblem, type Problem } from "./api/problem";
import { healthQuery, instanceQuery, instancesQuery, PAGE_SIZE, statsQuery } from "./api/queries";
import type { Created, CreateBody, CreationPending, Instance, MemoryStats } from "./api/types";
import { useInstanceActions } from "./api/useInstanceActions";
import { NO_FILTERS, select, type Filters } from "./instances/view";

export type Pagination = { page: number; pages: number; total: number; setPage: (page: number) => void };

type Options = {
  /** The instance that is looked at. */
  selectedId?: string | null;
  /** Where the filters are kept elsewhere, such as in the address. */
  filters?: Filters;
  onFilters?: (filters: Filters) => void;
};

const CREATE = ["create"];

export function useMessengerProvider({ selectedId = null, filters: given, onFilters }: Options = {}) {
  const queries = useQueryClient();
  const actions = useInstanceActions();
  const [own, setOwn] = useState(NO_FILTERS);
  const [page, setPage] = useState(0);
  const filters = given ?? own;

  const list = useQuery(instancesQuery(page));
  const one = useQuery({ ...instanceQuery(selectedId ?? ""), enabled: selectedId !== null });
  const stats = useQuery(statsQuery());
  const creation = useMutation({
    mutationKey: CREATE,
    mutationFn: ({ body, key }: { body: CreateBody; key: string }): Promise<Created | CreationPending> =>
      actions.create(body, key),
  });
  const isCreating = useIsMutating({ mutationKey: CREATE }) > 0;
  const isRefreshing = useIsFetching({ queryKey: ["instances"] }) > 0;

  const all = list.data?.instances;
  const instances = useMemo(() => select(all ?? [], filters, new Date()), [all, filters]);
  const total = list.data?.total ?? 0;
  const error = list.error ?? one.error ?? creation.error;

  return {
    /** Those that fit the filters, in their order. */
    instances,
    /** All of this page, filtered or not. */
    allInstances: all ?? NONE,
    selectedInstance: (one.data ?? all?.find((each) => each.id === selectedId) ?? null) as Instance | null,
    isLoading: list.isPending,
    isRefreshing,
    isCreating,
    error: error ? (asProblem(error) as Problem) : null,
    filters,
    setFilters: onFilters ?? setOwn,
    pagination: { page, pages: Math.max(1, Math.ceil(total / PAGE_SIZE)), total, setPage } satisfies Pagination,
    stats: (stats.data ?? null) as MemoryStats | null,

    fetchInstances: useCallback(() => queries.invalidateQueries({ queryKey: ["instances"] }), [queries]),
    createInstance: creation.mutateAsync,
    deleteInstance: actions.delete,
    startInstance: actions.start,
    stopInstance: actions.stop,
    restartInstance: actions.restart,
    getMemory: actions.getMemory,
    getQR: actions.getQR,
    clearErrors: actions.clearErrors,
    refreshStats: useCallback(() => queries.invalidateQueries({ queryKey: ["stats"] }), [queries]),
    checkHealth: useCallback(() => queries.fetchQuery({ ...healthQuery(), staleTime: 0 }), [queries]),
  };
}

const NONE: Instance[] = [];
