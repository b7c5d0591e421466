import { useQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import { useTranslation } from "react-i18next";
import { providersQuery } from "../api/queries";
import type { Capability, Instance } from "../api/types";

/** Why accounts such as this one cannot do something; undefined if they can, or as long as it is not known. */
export function useLacking(instance: Instance): (wanted: Capability) => string | undefined {
  const { t } = useTranslation();
  const { data } = useQuery(providersQuery());
  const known = data?.find((each) => each.description.id === instance.provider)?.description;
  return useCallback(
    (wanted) => {
      const can = known && ((instance.login && known.logins[instance.login]) || known.capabilities);
      if (!known || !can || can.includes(wanted)) return undefined;
      const who = instance.login ? `${known.title}, ${t(`choice.${instance.login}`)}` : known.title;
      return t("messages.lacking", { who, what: t(`capability.${wanted}`) });
    },
    [known, instance.login, t],
  );
}
