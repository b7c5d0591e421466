/**
 * The one live link of the page, and whether it is up. It is opened before anything is asked: what happens between an
 * answer and the opening would be shown only with the next event.
 */
import { useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useRef, useState, type ReactNode } from "react";
import { follow, type LinkState } from "../api/link";
import { createFollower } from "../api/live";
import type { ServerEvent } from "../api/sse";
import { PageLoader } from "../ui/PageLoader";

/** A page that cannot be live is shown all the same, after so long. */
const OPEN_MS = 1000;

type Listener = (events: ServerEvent[]) => void;
type Live = { state: LinkState; listen: (listener: Listener) => () => void };

const Context = createContext<Live>({ state: "connecting", listen: () => () => undefined });

export function LiveProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [state, setState] = useState<LinkState>("connecting");
  const [begun, setBegun] = useState(false);
  const asking = useRef(false);
  const listeners = useRef(new Set<Listener>());

  useEffect(() => {
    const follower = createFollower(queries);
    function begin(): void {
      asking.current = true;
      setBegun(true);
    }
    const timer = setTimeout(begin, OPEN_MS);
    const unfollow = follow("/api/v1/events", {
      onEvents(events) {
        follower.take(events);
        listeners.current.forEach((tell) => tell(events));
      },
      onState(now) {
        setState(now);
        if (now === "down") begin();
      },
      onOpen() {
        if (asking.current) follower.catchUp();
        begin();
      },
    });
    return () => {
      clearTimeout(timer);
      unfollow();
    };
  }, [queries]);

  const [listen] = useState(() => (listener: Listener) => {
    listeners.current.add(listener);
    return () => void listeners.current.delete(listener);
  });
  return <Context value={{ state, listen }}>{begun ? children : <PageLoader />}</Context>;
}

export function useLive(): Live {
  return useContext(Context);
}
