import { Group, Paper, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { Instance, Status } from "../api/types";
import { todayOf } from "../instances/view";
import { useNow } from "../ui/clock";
import { LOOKS } from "../ui/StatusBadge";
import { Tile } from "../ui/Tile";
import { useFormats } from "../ui/words";
import { Chart } from "./Chart";
import classes from "./detail.module.css";
import { perHour, segments, share } from "./history";
import { useMessageRate } from "./useMessageRate";
import { activityQuery, errorsQuery, memoryQuery, statusHistoryQuery } from "./queries";

const DAY_MS = 24 * 3_600_000;
const COLOURS = { good: "#37b24d", busy: "#339af0", person: "#f76707", bad: "#e03131", off: "#868e96" } as const;

/** How an instance has done: the day as a band, errors by the hour, messages as they come, and the figures. */
export function Metrics({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const { number } = useFormats();
  const { data: memory } = useQuery(memoryQuery(instance.id));
  const { data: activity } = useQuery(activityQuery(instance.id));
  const stats = memory?.message_stats;
  const megabytes = (size: number | null): string => (size === null ? "—" : `${number(size, 1)} MB`);
  return (
    <Stack>
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm">
        <Tile label={t("fact.health")} value={activity ? `${activity.health_score}` : null} hint="/ 100" />
        <Tile label={t("metric.sent")} value={stats ? number(stats.sent_count) : null} hint={t("metric.sentToday", { count: stats?.daily_sent ?? 0 })} />
        <Tile label={t("metric.received")} value={stats ? number(stats.received_count) : null} hint={t("metric.sentToday", { count: stats?.daily_received ?? 0 })} />
        <Tile label={t("metric.restarts")} value={memory ? number(memory.system_info.restart_count) : null} hint={t("metric.failures", { count: memory?.system_info.consecutive_failures ?? 0 })} />
        <Tile label={t("metric.errors")} value={memory ? number(memory.error_info.error_count) : null} hint={t("metric.sinceCleared")} />
        <Tile label={t("metric.memory")} value={memory ? megabytes(memory.memory.estimated_mb) : null} hint={t("metric.estimated")} />
      </SimpleGrid>
      <Day id={instance.id} />
      <Today instance={instance} />
      <Rate instance={instance} />
      <ErrorHours id={instance.id} />
    </Stack>
  );
}

function Day({ id }: { id: string }) {
  const { t } = useTranslation();
  const { time, number } = useFormats();
  const now = useNow();
  const { data } = useQuery(statusHistoryQuery(id, 1000));
  const parts = useMemo(() => segments(data ?? [], now - DAY_MS, now), [data, now]);
  const ready = share(parts, (status) => status === "client_ready");
  const colour = (status: Status) => COLOURS[LOOKS[status]];
  const seen = [...new Set(parts.map((part) => part.status))];
  return (
    <Paper withBorder p="md" radius="md">
      <SimpleGrid cols={{ base: 1, sm: 2 }} verticalSpacing={4} mb="xs">
        <Title order={2} size="h6">
          {t("metric.day")}
        </Title>
        <Text size="sm" ta={{ base: "start", sm: "end" }}>
          {t("metric.readyShare", { percent: number(100 * ready, 1) })}
        </Text>
      </SimpleGrid>
      <div className={classes.timeline} role="img" aria-label={t("metric.readyShare", { percent: number(100 * ready, 1) })}>
        {parts.map((part) => (
          <span
            key={part.from}
            title={`${t(`status.${part.status}`)} · ${time(part.from)}`}
            style={{ flexGrow: part.to - part.from, background: colour(part.status) }}
          />
        ))}
      </div>
      <Group gap="md" mt="xs" mih={{ base: 48, sm: 20 }} align="start">
        {seen.map((status) => (
          <Group key={status} gap={6}>
            <span className={classes.swatch} style={{ background: colour(status) }} aria-hidden />
            <Text size="xs">{t(`status.${status}`)}</Text>
          </Group>
        ))}
      </Group>
    </Paper>
  );
}

/** What was sent and received since the counters began anew; it grows as the events come. */
function Today({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const { number } = useFormats();
  const { sent, received } = todayOf(instance, new Date());
  const bars = [
    { label: t("metric.sent"), value: sent, colour: "#339af0" },
    { label: t("metric.received"), value: received, colour: "#37b24d" },
  ];
  const most = Math.max(1, sent, received);
  return (
    <Paper withBorder p="md" radius="md" component="section" aria-label={t("fact.today")}>
      <Title order={2} size="h6" mb="xs">
        {t("fact.today")} · {number(sent + received)}
      </Title>
      <dl className={classes.bars}>
        {bars.map(({ label, value, colour }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <span style={{ width: `${(100 * value) / most}%`, background: colour }} aria-hidden />
              {number(value)}
            </dd>
          </div>
        ))}
      </dl>
    </Paper>
  );
}

function Rate({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const { times, sent, received } = useMessageRate(instance.id);
  return (
    <Paper withBorder p="md" radius="md">
      <Title order={2} size="h6">
        {t("metric.rate")}
      </Title>
      <Text size="xs" c="dimmed" mb="xs">
        {t("metric.rateHint")}
      </Text>
      <Chart
        times={times}
        series={[
          { label: t("metric.sent"), values: sent, colour: "#339af0" },
          { label: t("metric.received"), values: received, colour: "#37b24d" },
        ]}
      />
    </Paper>
  );
}

function ErrorHours({ id }: { id: string }) {
  const { t } = useTranslation();
  const now = useNow();
  const { data } = useQuery(errorsQuery(id, 1000));
  const hours = useMemo(() => perHour((data ?? []).map((each) => Date.parse(each.timestamp)), now), [data, now]);
  return (
    <Paper withBorder p="md" radius="md">
      <Title order={2} size="h6" mb="xs">
        {t("metric.errorHours")}
      </Title>
      <Chart
        times={hours.times}
        series={[{ label: t("metric.errors"), values: hours.counts, colour: "#e03131", bars: true }]}
      />
    </Paper>
  );
}
