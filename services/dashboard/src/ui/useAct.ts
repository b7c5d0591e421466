/** Do something, and say so if it does not work. */
import { useCallback, useState } from "react";
import { toast } from "./toast";
import { useProblemText } from "./words";

export function useAct() {
  const text = useProblemText();
  const [busy, setBusy] = useState<string | null>(null);

  const act = useCallback(
    async (name: string, what: () => Promise<unknown>, done?: string): Promise<boolean> => {
      setBusy(name);
      try {
        await what();
        if (done) toast({ message: done, tone: "good" });
        return true;
      } catch (error) {
        toast({ message: text(error), tone: "bad" });
        return false;
      } finally {
        setBusy(null);
      }
    },
    [text],
  );
  return { act, busy };
}
