import { useQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import { useTranslation } from "react-i18next";
import { providersQuery } from "../api/queries";
import type { Capability, Instance } from "../api/types";
import { useProviderTitle } from "./useProviderTitle";

/** What accounts such as this one can do, by how they log in; null as long as it is not known. */
export function useCapabilities({ provider, login }: Instance): readonly Capability[] | null {
  const { data } = useQuery(providersQuery());
  const known = data?.find((each) => each.description.id === provider)?.description;
  return known ? ((login && known.logins[login]) ?? known.capabilities) : null;
}

/** Why this account cannot do something; undefined if it can, or as long as it is not known. */
export function useLacking(instance: Instance): (wanted: Capability) => string | undefined {
  const { t } = useTranslation();
  const can = useCapabilities(instance);
  const title = useProviderTitle()(instance.provider);
  const who = instance.login ? `${title}, ${t(`choice.${instance.login}`)}` : title;
  return useCallback(
    (wanted) => (!can || can.includes(wanted) ? undefined : t("messages.lacking", { who, what: t(`capability.${wanted}`) })),
    [can, who, t],
  );
}
