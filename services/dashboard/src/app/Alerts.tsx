/** Says once that an instance has come to need somebody: per transition, and not for a flicker. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { instancesQuery } from "../api/queries";
import type { Instance } from "../api/types";
import { titleOf } from "../instances/view";
import { toast } from "../ui/toast";
import { useReason } from "../ui/words";
import { createWatch } from "./steady";

const STEADY_MS = 3000;
const LOOK_MS = 500;
/** More at once are no news about an instance but about the system; the list of repairs has them. */
const MOST = 3;

export function Alerts() {
  const reason = useReason();
  const { data } = useQuery(instancesQuery());
  const latest = useRef<readonly Instance[] | undefined>(undefined);
  latest.current = data?.instances;

  useEffect(() => {
    const watch = createWatch(STEADY_MS);
    const look = (): void => {
      if (!latest.current) return;
      const due = watch(latest.current, Date.now());
      if (due.length > MOST) return;
      for (const each of due) {
        toast({ id: each.id, tone: "person", title: titleOf(each), message: reason(each.reason) });
      }
    };
    const timer = setInterval(look, LOOK_MS);
    return () => clearInterval(timer);
  }, [reason]);
  return null;
}
