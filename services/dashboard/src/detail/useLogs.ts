import { useEffect, useState } from "react";
import { follow, type LinkState } from "../api/link";
import type { LogLevel, LogLine } from "../api/types";
import { plain } from "./plain";

const KEPT = 5000;
const TAIL = 500;

/** The newest lines and all that follow; `level` is the least serious one. */
export function useLogs(id: string, level: LogLevel | null): { lines: LogLine[]; state: LinkState } {
  const [lines, setLines] = useState<LogLine[]>([]);
  const [state, setState] = useState<LinkState>("connecting");
  useEffect(() => {
    const query = new URLSearchParams({ follow: "true", tail: String(TAIL), ...(level && { level }) });
    let seen = 0;
    return follow(`/api/v1/instances/${id}/logs?${query}`, {
      onState: setState,
      onOpen: () => setLines((before) => (seen === 0 ? [] : before)),
      onEvents(events) {
        // A stream that comes back begins with lines that are here already.
        const fresh = events.filter((event) => Number(event.id) > seen);
        seen = Math.max(seen, ...fresh.map((event) => Number(event.id)));
        const parsed = fresh.map((event) => read(event.data));
        setLines((before) => [...before, ...parsed].slice(-KEPT));
      },
    });
  }, [id, level]);
  return { lines, state };
}

function read(data: string): LogLine {
  const line = JSON.parse(data) as LogLine;
  return { ...line, message: plain(line.message) };
}
