/** The one live link of the page, and whether it is up. */
import { useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useRef, useState, type ReactNode } from "react";
import { follow, type LinkState } from "../api/link";
import { createFollower } from "../api/live";
import type { ServerEvent } from "../api/sse";

type Listener = (events: ServerEvent[]) => void;
type Live = { state: LinkState; listen: (listener: Listener) => () => void };

const Context = createContext<Live>({ state: "connecting", listen: () => () => undefined });

export function LiveProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [state, setState] = useState<LinkState>("connecting");
  const listeners = useRef(new Set<Listener>());

  useEffect(() => {
    const follower = createFollower(queries);
    let opened = false;
    return follow("/api/v1/events", {
      onEvents(events) {
        follower.take(events);
        listeners.current.forEach((tell) => tell(events));
      },
      onState: setState,
      onOpen() {
        if (opened) follower.catchUp();
        opened = true;
      },
    });
  }, [queries]);

  const [listen] = useState(() => (listener: Listener) => {
    listeners.current.add(listener);
    return () => void listeners.current.delete(listener);
  });
  return <Context value={{ state, listen }}>{children}</Context>;
}

export function useLive(): Live {
  return useContext(Context);
}
