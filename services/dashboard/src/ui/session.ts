/** What the caller may do: what the gateway would refuse is off, and says why. */
import { createContext, useContext } from "react";
import { useTranslation } from "react-i18next";
import { ROLES, type Role, type Session } from "../api/types";

const Context = createContext<Session | null>(null);

export const SessionProvider = Context.Provider;

export function useSession(): Session | null {
  return useContext(Context);
}

export function useMay(): (needed: Role) => boolean {
  const session = useSession();
  return (needed) => session !== null && ROLES.indexOf(session.role) >= ROLES.indexOf(needed);
}

/** Why the caller may not do what needs a role; undefined if they may. */
export function useDenied(): (needed: Role) => string | undefined {
  const { t } = useTranslation();
  const may = useMay();
  return (needed) => (may(needed) ? undefined : t("role.needs", { role: t(`role.${needed}`) }));
}

/** Whether the caller sees the whole system rather than one user's instances. */
export function useIsOperatorOfAll(): boolean {
  return useSession()?.user_id === null;
}
