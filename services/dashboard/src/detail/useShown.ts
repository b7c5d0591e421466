import { useEffect, useState } from "react";

/** A secret does not stay on a screen that nobody looks at. */
const SHOWN_MS = 60_000;

/** A secret that was asked for; null before, and again after a minute. */
export function useShown<T>(): [T | null, (shown: T) => void] {
  const [shown, setShown] = useState<T | null>(null);
  useEffect(() => {
    if (shown === null) return;
    const timer = setTimeout(() => setShown(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [shown]);
  return [shown, setShown];
}
