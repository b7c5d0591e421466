/** What the caller may do, so that nobody is offered what the gateway would refuse. */
import { createContext, useContext } from "react";
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

/** Whether the caller sees the whole system rather than one user's instances. */
export function useIsOperatorOfAll(): boolean {
  return useSession()?.user_id === null;
}
