import { Button, SegmentedControl, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { Empty } from "../ui/Empty";
import { ProblemAlert } from "../ui/ProblemAlert";
import { StatusBadge } from "../ui/StatusBadge";
import { When } from "../ui/When";
import { Wide } from "../ui/Wide";
import { usePhone } from "../ui/usePhone";
import { useFormats, useReason } from "../ui/words";
import classes from "./detail.module.css";
import { keyHistoryQuery, qrHistoryQuery, statusHistoryQuery } from "./queries";

const KINDS = ["status", "qr", "keys"] as const;
type Kind = (typeof KINDS)[number];
const STEP = 50;

/** What happened: changes of status with cause and actor, QR codes, API keys. */
export function History({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const [kind, setKind] = useState<Kind>("status");
  return (
    <Stack>
      <SegmentedControl
        value={kind}
        onChange={(value) => setKind(value as Kind)}
        data={KINDS.map((value) => ({ value, label: t(`history.${value}`) }))}
        w="fit-content"
        aria-label={t("tab.history")}
      />
      {kind === "status" && <StatusChanges id={instance.id} />}
      {kind === "qr" && <QrCodes id={instance.id} />}
      {kind === "keys" && <Keys id={instance.id} />}
    </Stack>
  );
}

function StatusChanges({ id }: { id: string }) {
  const { t } = useTranslation();
  const { time } = useFormats();
  const reason = useReason();
  const [limit, setLimit] = useState(STEP);
  const { data, error, refetch } = useQuery(statusHistoryQuery(id, limit));
  const phone = usePhone();
  if (error) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  const more = data?.length === limit && limit < 1000 && (
    <Button variant="subtle" onClick={() => setLimit(Math.min(1000, limit * 4))}>
      {t("history.more")}
    </Button>
  );
  if (phone) {
    return (
      <div role="list" aria-label={t("history.status")}>
        {data?.map((change, index) => (
          <div key={`${change.timestamp}-${index}`} role="listitem" className={classes.change}>
            <StatusBadge status={change.status} />
            <Text size="sm">{reason(change)}</Text>
            <Text size="xs" c="dimmed">
              {time(change.timestamp)} · {change.actor || change.source}
            </Text>
          </div>
        ))}
        {more}
      </div>
    );
  }
  return (
    <Wide label={t("history.status")}>
      <Table verticalSpacing={6} miw={560}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={220}>{t("history.when")}</Table.Th>
            <Table.Th w={190}>{t("column.status")}</Table.Th>
            <Table.Th>{t("history.why")}</Table.Th>
            <Table.Th w={180}>{t("history.who")}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {data?.map((change, index) => (
            <Table.Tr key={`${change.timestamp}-${index}`}>
              <Table.Td>{time(change.timestamp)}</Table.Td>
              <Table.Td>
                <StatusBadge status={change.status} />
              </Table.Td>
              <Table.Td>{reason(change)}</Table.Td>
              <Table.Td>{change.actor || change.source}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {more}
    </Wide>
  );
}

function QrCodes({ id }: { id: string }) {
  const { t } = useTranslation();
  const { time, clock } = useFormats();
  const { data, error, refetch } = useQuery(qrHistoryQuery(id));
  if (error) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  if (data?.length === 0) return <Empty title={t("history.noQr")} hint={t("history.noQrHint")} />;
  return (
    <Table verticalSpacing={6} maw={560}>
      <Table.Tbody>
        {data?.map((shown, index) => (
          <Table.Tr key={`${shown.generated_at}-${index}`}>
            <Table.Td>{time(shown.generated_at)}</Table.Td>
            <Table.Td>{t("history.until", { time: clock(shown.expires_at) })}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Keys({ id }: { id: string }) {
  const { t } = useTranslation();
  const { time } = useFormats();
  const { data, error, refetch } = useQuery(keyHistoryQuery(id));
  if (error) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  return (
    <Table verticalSpacing={6} maw={640}>
      <Table.Tbody>
        {data?.map((key) => (
          <Table.Tr key={key.created_at}>
            <Table.Td>{time(key.created_at)}</Table.Td>
            <Table.Td>{t("history.used", { count: key.usage_count })}</Table.Td>
            <Table.Td>
              <Text size="sm" component="span">
                {t("history.last")}{" "}
              </Text>
              <When at={key.last_used_at} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
