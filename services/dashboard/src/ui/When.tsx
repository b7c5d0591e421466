import { useNow } from "./clock";
import { useFormats } from "./words";

/** How long ago something was; the exact time on hover. */
export function When({ at }: { at: string | null }) {
  const now = useNow();
  const formats = useFormats();
  if (!at) return <span aria-hidden>—</span>;
  return (
    <time dateTime={at} title={formats.time(at)}>
      {formats.ago(at, Math.max(now, Date.parse(at)))}
    </time>
  );
}
