import type { ReactNode } from "react";

/** Something that may be wider than the screen: it scrolls by itself, by keyboard too. */
export function Wide({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div role="region" aria-label={label} tabIndex={0} style={{ overflowX: "auto", width: "100%" }}>
      {children}
    </div>
  );
}
