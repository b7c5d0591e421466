import { useQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import { providersQuery } from "../api/queries";
import type { Provider } from "../api/types";

/** What a provider is called, by its own description. */
export function useProviderTitle(): (provider: Provider) => string {
  const { data } = useQuery(providersQuery());
  return useCallback(
    (provider) => data?.find((each) => each.description.id === provider)?.description.title ?? provider,
    [data],
  );
}
