import { Button, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { messengerAPI, ok } from "../api/messengerAPI";
import { Empty } from "../ui/Empty";
import { ProblemAlert } from "../ui/ProblemAlert";
import { Wide } from "../ui/Wide";
import { useFormats } from "../ui/words";

/** Who changed what in the last day, newest first. */
export function Audit() {
  const { t } = useTranslation();
  const { time } = useFormats();
  const { data, error, refetch, isFetching } = useQuery({
    queryKey: ["audit"],
    queryFn: async ({ signal }) =>
      (await ok(messengerAPI.GET("/api/v1/audit", { params: { query: { limit: 200 } }, signal }))).data,
    staleTime: 0,
  });
  if (error) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  if (data?.length === 0) return <Empty title={t("access.noAudit")} hint={t("access.noAuditHint")} />;
  return (
    <Stack align="start">
      <Button size="xs" variant="default" loading={isFetching} onClick={() => void refetch()}>
        {t("access.refresh")}
      </Button>
      <Wide label={t("access.audit")}>
        <Table verticalSpacing={6} miw={680}>
          <Table.Tbody>
            {data?.map((item, index) => (
              <Table.Tr key={`${item.timestamp}-${index}`}>
                <Table.Td>{time(item.timestamp)}</Table.Td>
                <Table.Td>{item.actor}</Table.Td>
                <Table.Td>{item.action}</Table.Td>
                <Table.Td ff="monospace" fz="xs">
                  {item.instance_id}
                </Table.Td>
                <Table.Td>{item.origin}</Table.Td>
                <Table.Td>
                  <Text size="sm">{item.ok ? t("access.ok") : (item.code ?? item.message)}</Text>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Wide>
    </Stack>
  );
}
