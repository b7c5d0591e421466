import { Alert, Anchor, Button, Group, List, Paper, Progress, SimpleGrid, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { healthQuery, performanceQuery, portsQuery, resourcesQuery } from "../api/queries";
import type { SystemHealth } from "../api/types";
import { Icon } from "../ui/Icon";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useAct } from "../ui/useAct";
import { useFormats } from "../ui/words";
import { Tile } from "../ui/Tile";
import { saveDiagnostics } from "./diagnostics";
import { Ports } from "./Ports";

/** How the machine and the services do, and what to do about it. */
export function SystemPage() {
  const { t } = useTranslation();
  const { act, busy } = useAct();
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h3">
          {t("shell.system")}
        </Title>
        <Button
          variant="default"
          leftSection={<Icon name="download" />}
          loading={busy !== null}
          onClick={() => void act("save", saveDiagnostics)}
        >
          {t("system.diagnostics")}
        </Button>
      </Group>
      <Figures />
    </Stack>
  );
}

/** Shown when all is there, so that nothing moves as it comes. */
function Figures() {
  const { data: health, isPending: healthIsPending } = useQuery(healthQuery());
  const { data: ports, isPending: portsArePending } = useQuery(portsQuery());
  const { isPending: resourcesArePending } = useQuery(resourcesQuery());
  const performance = useQuery(performanceQuery());
  if (performance.error) {
    return <ProblemAlert error={performance.error} onRetry={() => void performance.refetch()} />;
  }
  if (!performance.data || healthIsPending || portsArePending || resourcesArePending) return <Skeleton h={640} />;
  return (
    <>
      <Attention system={performance.data.systemHealth} />
      <Machine />
      <Requests />
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Services services={health?.services ?? {}} version={health?.version ?? ""} />
        {ports && <Ports ports={ports} />}
      </SimpleGrid>
      <Processes />
      <Containers />
    </>
  );
}

function Attention({ system }: { system: SystemHealth }) {
  const { t } = useTranslation();
  if (system.issues.length === 0) return null;
  return (
    <Alert color={system.status === "critical" ? "red" : "orange"} title={t(`system.${system.status}`)}>
      <List size="sm">
        {[...system.issues, ...system.recommendations].map((each) => (
          <List.Item key={each}>{each}</List.Item>
        ))}
      </List>
    </Alert>
  );
}

function Machine() {
  const { t } = useTranslation();
  const { number } = useFormats();
  const { data, dataUpdatedAt: at } = useQuery(resourcesQuery());
  return (
    <SimpleGrid cols={{ base: 2, lg: 4 }} spacing="sm">
      <Tile
        label={t("system.cpu")}
        value={data ? `${number(data.cpu.percent)} %` : null}
        hint={data ? t("system.load", { load: data.cpu.load_average.map((each) => number(each, 1)).join(" · ") }) : ""}
        trend={data && { value: data.cpu.percent, at }}
      />
      <Tile
        label={t("system.memory")}
        value={data ? `${number(data.memory.percent)} %` : null}
        hint={data ? t("system.free", { size: number(data.memory.available_mb) }) : ""}
        trend={data && { value: data.memory.percent, at }}
      />
      <Tile
        label={t("system.disk")}
        value={data ? `${number(data.disk.percent)} %` : null}
        hint={data ? t("system.free", { size: number(data.disk.available_mb) }) : ""}
      />
      <Tile label={t("system.uptime")} value={data ? t("fact.hours", { hours: number(data.uptime / 3600, 1) }) : null} />
    </SimpleGrid>
  );
}

function Requests() {
  const { t } = useTranslation();
  const { number } = useFormats();
  const { data, dataUpdatedAt: at } = useQuery(performanceQuery());
  const requests = data?.performance;
  const assigned = data?.portAssignment;
  return (
    <SimpleGrid cols={{ base: 2, lg: 4 }} spacing="sm">
      <Tile
        label={t("tile.response")}
        value={requests ? `${number(requests.averageResponseTime, 1)} ms` : null}
        hint={requests ? t("tile.failures", { percent: number(100 * requests.failureRate, 2) }) : ""}
        trend={requests && { value: requests.averageResponseTime, at }}
      />
      <Tile
        label={t("system.concurrent")}
        value={requests ? number(requests.concurrentRequests) : null}
        hint={requests ? t("system.peak", { count: requests.peakConcurrency }) : ""}
        trend={requests && { value: requests.concurrentRequests, at }}
      />
      <Tile
        label={t("system.assignment")}
        value={assigned ? `${number(assigned.averageTime, 1)} ms` : null}
        hint={assigned ? t("system.range", { least: number(assigned.minTime, 1), most: number(assigned.maxTime, 1) }) : ""}
        trend={requests?.portAssignmentTime.slice(-60)}
      />
      <Tile
        label={t("system.assignments")}
        value={assigned ? number(assigned.successfulRequests) : null}
        hint={assigned ? t("system.failed", { count: assigned.failedRequests }) : ""}
      />
    </SimpleGrid>
  );
}

function Services({ services, version }: { services: Record<string, "up" | "down">; version: string }) {
  const { t } = useTranslation();
  return (
    <Paper withBorder p="md" radius="md">
      <Title order={2} size="h6" mb="xs">
        {t("system.services")} {version && `· ${version}`}
      </Title>
      <Table verticalSpacing={5}>
        <Table.Tbody>
          {Object.entries(services).map(([name, state]) => (
            <Table.Tr key={name}>
              <Table.Td>{name}</Table.Td>
              <Table.Td ta="right">
                <Text size="sm" fw={600} c={state === "up" ? undefined : "var(--mantine-color-error)"}>
                  {t(`system.${state}`)}
                </Text>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

function Processes() {
  const { t } = useTranslation();
  const { number } = useFormats();
  const { data } = useQuery(resourcesQuery());
  const most = Math.max(1, ...(data?.processes ?? []).map((each) => each.memory_mb));
  return (
    <Paper withBorder p="md" radius="md">
      <Title order={2} size="h6" mb="xs">
        {t("system.processes")}
      </Title>
      <Table verticalSpacing={5}>
        <Table.Tbody>
          {data?.processes.map((each, index) => (
            <Table.Tr key={`${each.service}-${index}`}>
              <Table.Td>{each.service}</Table.Td>
              <Table.Td w="35%">
                <Progress value={(100 * each.memory_mb) / most} size="sm" aria-hidden />
              </Table.Td>
              <Table.Td ta="right" style={{ whiteSpace: "nowrap" }}>
                {number(each.memory_mb)} MB
              </Table.Td>
              <Table.Td ta="right" style={{ whiteSpace: "nowrap" }}>
                {number(each.cpu_percent, 1)} %
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

/** Of instances that have one each; nothing without a container engine. */
function Containers() {
  const { t } = useTranslation();
  const { number } = useFormats();
  const containers = useQuery(resourcesQuery()).data?.containers;
  if (!containers) return null;
  return (
    <Paper withBorder p="md" radius="md">
      <Title order={2} size="h6" mb="xs">
        {t("system.containers")} · {containers.running}/{containers.total}
      </Title>
      {containers.error && <Alert color="orange">{containers.error}</Alert>}
      <Table verticalSpacing={5}>
        <Table.Tbody>
          {containers.containers.map((each) => (
            <Table.Tr key={each.name}>
              <Table.Td style={{ overflowWrap: "anywhere" }}>
                <Anchor size="sm" renderRoot={(props) => <Link to="/instances/$id" params={{ id: each.instance_id }} {...props} />}>
                  {each.instance_id}
                </Anchor>
              </Table.Td>
              <Table.Td>{each.state}</Table.Td>
              <Table.Td ta="right" style={{ whiteSpace: "nowrap" }}>
                {each.memory_mb === null ? "—" : `${number(each.memory_mb)} / ${number(each.memory_limit_mb ?? 0)} MB`}
              </Table.Td>
              <Table.Td ta="right" style={{ whiteSpace: "nowrap" }}>
                {each.cpu_percent === null ? "—" : `${number(each.cpu_percent, 1)} %`}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}
