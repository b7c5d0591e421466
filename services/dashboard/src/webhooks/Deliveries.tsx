import { Button, Group, NativeSelect, Paper, Skeleton, Stack, Table, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { messengerAPI, ok } from "../api/messengerAPI";
import type { Delivery, DeliveryStatus, Instance } from "../api/types";
import { Empty } from "../ui/Empty";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useDenied } from "../ui/session";
import { useAct } from "../ui/useAct";
import { usePhone } from "../ui/usePhone";
import { Wide } from "../ui/Wide";
import { useFormats } from "../ui/words";
import { DeliveryDetails } from "./DeliveryDetails";
import { deliveriesQuery } from "./queries";
import classes from "./webhooks.module.css";

const PAGE = 50;
const MOST = 1000;
const STATUSES: readonly DeliveryStatus[] = ["pending", "delivered", "failed"];

/** What went to the webhook, waits, or could not be delivered. */
export function Deliveries({ instance: { id } }: { instance: Instance }) {
  const { t } = useTranslation();
  const [status, setStatus] = useState<DeliveryStatus | null>(null);
  const [limit, setLimit] = useState(PAGE);
  const [opened, setOpened] = useState<string | null>(null);
  const { data, error, refetch } = useQuery({ ...deliveriesQuery(id, status, limit), enabled: opened === null });
  const List = usePhone() ? DeliveryCards : DeliveryTable;
  const all = data ? STATUSES.reduce((sum, each) => sum + (data.counts[each] ?? 0), 0) : 0;

  if (opened !== null) return <DeliveryDetails id={id} deliveryId={opened} onClose={() => setOpened(null)} />;
  if (error && !data) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton h={160} />;
  if (all === 0) return <Empty title={t("deliveries.none")} hint={t("deliveries.noneHint")} />;
  return (
    <Stack>
      <Group justify="space-between" align="end">
        <NativeSelect
          label={t("deliveries.status")}
          value={status ?? ""}
          onChange={(event) => setStatus((event.currentTarget.value || null) as DeliveryStatus | null)}
          data={[
            { value: "", label: `${t("deliveries.all")} (${all})` },
            ...STATUSES.map((each) => ({ value: each, label: `${t(`delivery.${each}`)} (${data.counts[each] ?? 0})` })),
          ]}
        />
        <RedeliverAll id={id} failed={data.counts.failed ?? 0} />
      </Group>
      {data.deliveries.length === 0 ? (
        <Text size="sm">{t("deliveries.noMatch")}</Text>
      ) : (
        <List deliveries={data.deliveries} onOpen={setOpened} />
      )}
      {data.total > data.deliveries.length && limit < MOST && (
        <Button variant="default" w="fit-content" onClick={() => setLimit(Math.min(MOST, limit + PAGE))}>
          {t("history.more")}
        </Button>
      )}
    </Stack>
  );
}

function RedeliverAll({ id, failed }: { id: string; failed: number }) {
  const { t } = useTranslation();
  const denied = useDenied()("operator");
  const queries = useQueryClient();
  const { act, busy } = useAct();
  const params = { path: { id } };

  async function redeliver(): Promise<void> {
    await ok(messengerAPI.POST("/api/v1/instances/{id}/webhook/deliveries/redeliver", { params }));
    await queries.invalidateQueries({ queryKey: ["of", id] });
  }

  return (
    <Button
      variant="default"
      loading={busy !== null}
      disabled={failed === 0 || !!denied}
      title={denied ?? (failed === 0 ? t("deliveries.noneFailed") : undefined)}
      onClick={() => void act("redeliver", redeliver, t("deliveries.again"))}
    >
      {t("deliveries.redeliverAll", { count: failed })}
    </Button>
  );
}

type ListProps = { deliveries: readonly Delivery[]; onOpen: (id: string) => void };

function DeliveryTable({ deliveries, onOpen }: ListProps) {
  const { t } = useTranslation();
  const { time, number } = useFormats();
  return (
    <Wide label={t("deliveries.title")}>
      <Table verticalSpacing={6} miw={700}>
        <Table.Thead>
          <Table.Tr>
            {(["when", "event", "status", "tries", "next", "answer"] as const).map((each) => (
              <Table.Th key={each}>{t(`delivery.${each}`)}</Table.Th>
            ))}
            <Table.Th>{t("column.actions")}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {deliveries.map((each) => (
            <Table.Tr key={each.id} data-delivery={each.status}>
              <Table.Td>{time(each.created_at)}</Table.Td>
              <Table.Td>{each.event}</Table.Td>
              <Table.Td>
                <DeliveryState status={each.status} />
              </Table.Td>
              <Table.Td>{number(each.tries)}</Table.Td>
              <Table.Td>{each.next_at && time(each.next_at)}</Table.Td>
              <Table.Td className={classes.answer}>{answerOf(each)}</Table.Td>
              <Table.Td>
                <Open delivery={each} onOpen={onOpen} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Wide>
  );
}

/** The same, where a table would be cut off. */
function DeliveryCards({ deliveries, onOpen }: ListProps) {
  const { t } = useTranslation();
  const { time } = useFormats();
  return deliveries.map((each) => (
    <Paper key={each.id} withBorder p="sm" data-delivery={each.status}>
      <Group justify="space-between">
        <DeliveryState status={each.status} />
        <Open delivery={each} onOpen={onOpen} />
      </Group>
      <Text size="sm">{each.event}</Text>
      <Text size="xs" c="dimmed">
        {time(each.created_at)} · {t("delivery.tries")}: {each.tries}
        {each.next_at && ` · ${t("delivery.next")}: ${time(each.next_at)}`}
      </Text>
      <Text size="xs" className={classes.answer}>
        {answerOf(each)}
      </Text>
    </Paper>
  ));
}

function Open({ delivery: { id, event, created_at }, onOpen }: { delivery: Delivery; onOpen: ListProps["onOpen"] }) {
  const { t } = useTranslation();
  const { time } = useFormats();
  return (
    <Button
      size="compact-xs"
      variant="default"
      aria-label={`${t("delivery.open")}: ${event}, ${time(created_at)}`}
      onClick={() => onOpen(id)}
    >
      {t("delivery.open")}
    </Button>
  );
}

export function DeliveryState({ status }: { status: DeliveryStatus }) {
  const { t } = useTranslation();
  return (
    <span className={classes.state} data-state={status}>
      {t(`delivery.${status}`)}
    </span>
  );
}

/** What the target said last, in a line. */
export function answerOf({ status_code, error }: Delivery): string {
  return [status_code !== null && `HTTP ${status_code}`, error].filter(Boolean).join(" · ");
}
