import { useEffect, useRef, useState } from "react";

/** Whole seconds until `deadline` (ms, of this machine's clock); tells once when it is reached. */
export function useCountdown(deadline: number | null, onEnd: () => void): number {
  const [now, setNow] = useState(Date.now);
  const end = useRef(onEnd);
  end.current = onEnd;
  useEffect(() => {
    if (deadline === null || deadline === Infinity) return;
    setNow(Date.now());
    const timer = setInterval(() => {
      setNow(Date.now());
      if (Date.now() < deadline) return;
      clearInterval(timer);
      end.current();
    }, 250);
    return () => clearInterval(timer);
  }, [deadline]);
  return deadline === null ? 0 : Math.max(0, Math.ceil((deadline - now) / 1000));
}
