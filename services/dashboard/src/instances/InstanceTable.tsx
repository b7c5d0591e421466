import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "../ui/Icon";
import { InstanceRow } from "./InstanceRow";
import classes from "./InstanceTable.module.css";
import { toggled, type ListProps } from "./list";
import { useProviderTitle } from "./useProviderTitle";
import type { Filters, SortKey } from "./view";

export const ROW_PX = 58;

const COLUMNS: readonly { key: SortKey | null; label: Column; width?: string }[] = [
  { key: "name", label: "name" },
  { key: "status", label: "status", width: "30%" },
  { key: "provider", label: "provider", width: "134px" },
  { key: "user", label: "user", width: "12%" },
  { key: "port", label: "port", width: "72px" },
  { key: "seen", label: "seen", width: "112px" },
  { key: "today", label: "today", width: "86px" },
];
type Column = "name" | "status" | "provider" | "user" | "port" | "seen" | "today";

/** Only the rows on the screen exist; the others are two empty rows of the right height. */
export function InstanceTable({ instances, filters, onFilters, selected, onSelected }: ListProps) {
  const { t } = useTranslation();
  const body = useRef<HTMLTableSectionElement>(null);
  const [offset, setOffset] = useState(0);
  useLayoutEffect(() => {
    const top = (body.current?.getBoundingClientRect().top ?? 0) + window.scrollY;
    if (Math.abs(top - offset) > 1) setOffset(top);
  });
  const rows = useWindowVirtualizer({
    count: instances.length,
    estimateSize: () => ROW_PX,
    overscan: 8,
    scrollMargin: offset,
    getItemKey: (index) => instances[index]?.id ?? index,
  });
  const items = rows.getVirtualItems();
  const before = items.length > 0 ? (items[0]?.start ?? 0) - offset : 0;
  const after = items.length > 0 ? rows.getTotalSize() - ((items.at(-1)?.end ?? 0) - offset) : 0;

  const latest = useRef({ selected, onSelected });
  latest.current = { selected, onSelected };
  const toggle = useCallback((id: string) => latest.current.onSelected(toggled(latest.current.selected, id)), []);
  const titleOfProvider = useProviderTitle();
  const every = instances.length > 0 && instances.every((each) => selected.has(each.id));
  const some = !every && instances.some((each) => selected.has(each.id));

  return (
    <table className={classes.table} aria-rowcount={instances.length + 1} aria-label={t("instances.title")}>
      <thead className={classes.head}>
        <tr aria-rowindex={1}>
          <th className={classes.check} scope="col">
            <input
              type="checkbox"
              aria-label={t("instances.selectAll")}
              checked={every}
              ref={(box) => {
                if (box) box.indeterminate = some;
              }}
              onChange={() => onSelected(new Set(every ? [] : instances.map((each) => each.id)))}
            />
          </th>
          {COLUMNS.map(({ key, label, width }) => (
            <Heading key={label} sort={key} label={label} width={width} filters={filters} onFilters={onFilters} />
          ))}
          <th scope="col" style={{ width: 84 }}>
            <span className={classes.hidden}>{t("column.actions")}</span>
          </th>
        </tr>
      </thead>
      <tbody ref={body}>
        <Gap height={before} />
        {items.map(({ index }) => {
          const instance = instances[index];
          return (
            instance && (
              <InstanceRow
                key={instance.id}
                instance={instance}
                index={index + 2}
                isSelected={selected.has(instance.id)}
                onToggle={toggle}
                titleOfProvider={titleOfProvider}
              />
            )
          );
        })}
        <Gap height={after} />
      </tbody>
    </table>
  );
}

function Gap({ height }: { height: number }) {
  return height > 0 ? <tr aria-hidden style={{ height }} /> : null;
}

type HeadingProps = {
  sort: SortKey | null;
  label: Column;
  width?: string;
  filters: Filters;
  onFilters: (filters: Filters) => void;
};

function Heading({ sort, label, width, filters, onFilters }: HeadingProps) {
  const { t } = useTranslation();
  const active = sort !== null && filters.sort === sort;
  const direction = active ? (filters.descending ? "descending" : "ascending") : "none";
  return (
    <th scope="col" style={{ width }} aria-sort={direction}>
      <button
        type="button"
        className={classes.sort}
        onClick={() => sort && onFilters({ ...filters, sort, descending: active && !filters.descending })}
      >
        {t(`column.${label}`)}
        {active && <Icon name={filters.descending ? "down" : "up"} size={13} />}
      </button>
    </th>
  );
}
