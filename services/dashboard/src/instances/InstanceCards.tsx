import { Checkbox, Group, Text } from "@mantine/core";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { Link } from "@tanstack/react-router";
import { useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { StatusBadge } from "../ui/StatusBadge";
import { When } from "../ui/When";
import { useReason } from "../ui/words";
import classes from "./InstanceTable.module.css";
import { toggled, type ListProps } from "./list";
import { RowActions } from "./RowActions";
import { useProviderTitle } from "./useProviderTitle";
import { messagesToday, titleOf } from "./view";

/** The list where the screen is too narrow for a table. */
export function InstanceCards({ instances, selected, onSelected }: ListProps) {
  const { t } = useTranslation();
  const list = useRef<HTMLDivElement>(null);
  const [offset, setOffset] = useState(0);
  useLayoutEffect(() => {
    const top = (list.current?.getBoundingClientRect().top ?? 0) + window.scrollY;
    if (Math.abs(top - offset) > 1) setOffset(top);
  });
  const cards = useWindowVirtualizer({
    count: instances.length,
    estimateSize: () => 148,
    overscan: 5,
    scrollMargin: offset,
    getItemKey: (index) => instances[index]?.id ?? index,
  });
  return (
    <div
      ref={list}
      role="list"
      aria-label={t("instances.title")}
      style={{ position: "relative", height: cards.getTotalSize() }}
    >
      {cards.getVirtualItems().map(({ index, start }) => {
        const instance = instances[index];
        return (
          instance && (
            <div
              key={instance.id}
              role="listitem"
              data-index={index}
              ref={cards.measureElement}
              style={{ position: "absolute", left: 0, right: 0, top: start - offset }}
            >
              <Card
                instance={instance}
                isSelected={selected.has(instance.id)}
                onToggle={() => onSelected(toggled(selected, instance.id))}
              />
            </div>
          )
        );
      })}
    </div>
  );
}

function Card({ instance, isSelected, onToggle }: { instance: Instance; isSelected: boolean; onToggle: () => void }) {
  const { t } = useTranslation();
  const reason = useReason();
  const titleOfProvider = useProviderTitle();
  return (
    <div className={classes.card} data-instance={instance.id}>
      <Group wrap="nowrap" justify="space-between" align="start">
        <Group wrap="nowrap" gap="sm" miw={0}>
          <Checkbox
            size="sm"
            aria-label={t("instances.select", { name: titleOf(instance) })}
            checked={isSelected}
            onChange={onToggle}
          />
          <Link to="/instances/$id" params={{ id: instance.id }} className={classes.name}>
            <div className={classes.line}>{titleOf(instance)}</div>
          </Link>
        </Group>
        <RowActions instance={instance} />
      </Group>
      <StatusBadge status={instance.status} />
      <Text size="xs" c="dimmed" lineClamp={2} mt={2}>
        {reason(instance.reason)}
      </Text>
      <Group gap={6} mt={6}>
        <Text size="xs" component="div">
          {titleOfProvider(instance.provider)} · {instance.user_id}
          {instance.port !== null && ` · ${instance.port}`} ·{" "}
          {t("instances.today", { count: messagesToday(instance, new Date()) })} ·{" "}
          <When at={instance.last_seen} />
        </Text>
      </Group>
    </div>
  );
}
