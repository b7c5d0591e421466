/** Says once that an instance has come to need somebody, or has recovered: per transition, and not for a flicker. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { instancesQuery } from "../api/queries";
import type { Instance } from "../api/types";
import { needsPerson, titleOf } from "../instances/view";
import { toast } from "../ui/toast";
import { useReason } from "../ui/words";

const STEADY_MS = 3000;
/** More at once are no news about an instance but about the system; the list of repairs has them. */
const MOST = 3;

export function Alerts() {
  const reason = useReason();
  const { data } = useQuery(instancesQuery());
  const known = useRef<Map<string, boolean> | null>(null);
  const instances = data?.instances;

  useEffect(() => {
    if (!instances) return;
    const tell = (): void => {
      const before = known.current;
      known.current = new Map(instances.map((each) => [each.id, needsPerson(each)]));
      if (before === null) return;
      const fresh = instances.filter((each) => needsPerson(each) && before.get(each.id) === false);
      for (const instance of fresh.length > MOST ? [] : fresh) show(instance);
    };
    function show(instance: Instance): void {
      toast({ id: instance.id, tone: "person", title: titleOf(instance), message: reason(instance.reason) });
    }
    if (known.current === null) return tell();
    const timer = setTimeout(tell, STEADY_MS);
    return () => clearTimeout(timer);
  }, [instances, reason]);
  return null;
}
