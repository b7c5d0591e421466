import { NativeSelect, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { providersQuery } from "../api/queries";
import { STATUSES, type Provider } from "../api/types";
import { Icon } from "../ui/Icon";
import classes from "./InstanceTable.module.css";
import type { Filters } from "./view";

type Props = { filters: Filters; onFilters: (filters: Filters) => void; shown: number; total: number };

export function InstanceFilters({ filters, onFilters, shown, total }: Props) {
  const { t } = useTranslation();
  const { data: providers } = useQuery(providersQuery());
  const statuses = [
    { value: "", label: t("filter.anyStatus") },
    { value: "attention", label: t("filter.attention") },
    ...STATUSES.map((value) => ({ value, label: t(`status.${value}`) })),
  ];
  const kinds = [
    { value: "", label: t("filter.anyProvider") },
    ...(providers ?? []).map(({ description }) => ({ value: description.id, label: description.title })),
  ];
  return (
    <div className={classes.filters} role="search">
      <Search filters={filters} onFilters={onFilters} />
      <NativeSelect
        aria-label={t("filter.status")}
        data={statuses}
        value={filters.status ?? ""}
        onChange={(event) =>
          onFilters({ ...filters, status: (event.currentTarget.value || null) as Filters["status"] })
        }
      />
      <NativeSelect
        aria-label={t("filter.provider")}
        data={kinds}
        value={filters.provider ?? ""}
        onChange={(event) => onFilters({ ...filters, provider: (event.currentTarget.value || null) as Provider | null })}
      />
      <Text size="sm" c="dimmed" aria-live="polite">
        {t("filter.shown", { shown, total })}
      </Text>
    </div>
  );
}

function Search({ filters, onFilters }: Pick<Props, "filters" | "onFilters">) {
  const { t } = useTranslation();
  const [text, setText] = useState(filters.search);
  const tell = useDebouncedCallback((search: string) => onFilters({ ...filters, search }), 150);
  useEffect(() => setText(filters.search), [filters.search]);
  return (
    <TextInput
      type="search"
      aria-label={t("filter.search")}
      placeholder={t("filter.searchHint")}
      leftSection={<Icon name="search" size={16} />}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        tell(event.currentTarget.value);
      }}
      style={{ flex: "1 1 220px", maxWidth: 420 }}
    />
  );
}
