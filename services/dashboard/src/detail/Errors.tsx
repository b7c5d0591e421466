import { Button, Group, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { useInstanceActions } from "../api/useInstanceActions";
import { Empty } from "../ui/Empty";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useDenied } from "../ui/session";
import { useAct } from "../ui/useAct";
import { useFormats, useReason } from "../ui/words";
import { errorsQuery } from "./queries";

/** What went wrong since the errors were last cleared. */
export function Errors({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const { time } = useFormats();
  const reason = useReason();
  const denied = useDenied()("operator");
  const { clearErrors } = useInstanceActions();
  const { act, busy } = useAct();
  const { data, error, refetch } = useQuery(errorsQuery(instance.id, 200));
  if (error) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  if (data?.length === 0) return <Empty title={t("errors.none")} hint={t("errors.noneHint")} />;
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          {data && t("errors.count", { count: data.length })}
        </Text>
        <Button
          variant="default"
          size="xs"
          loading={busy !== null}
          disabled={!!denied}
          title={denied}
          onClick={() => void act("clear", () => clearErrors(instance.id))}
        >
          {t("errors.clear")}
        </Button>
      </Group>
      <Table verticalSpacing={6}>
        <Table.Tbody>
          {data?.map((item, index) => (
            <Table.Tr key={`${item.timestamp}-${index}`}>
              <Table.Td w={180}>{time(item.timestamp)}</Table.Td>
              <Table.Td>
                <Text size="sm">{reason({ code: item.code, message: item.error })}</Text>
                <Text size="xs" c="dimmed" ff="monospace">
                  {item.code} · {item.source}
                </Text>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}
