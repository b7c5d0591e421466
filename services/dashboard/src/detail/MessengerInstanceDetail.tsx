import { Anchor, Button, Group, Skeleton, Stack, Tabs, Text, Title } from "@mantine/core";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef, type ComponentType } from "react";
import { useTranslation } from "react-i18next";
import { TABS, type Tab } from "../app/router";
import type { Instance, Role } from "../api/types";
import { lastSearch } from "../instances/address";
import { titleOf } from "../instances/view";
import { Empty } from "../ui/Empty";
import { Icon } from "../ui/Icon";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useDenied } from "../ui/session";
import { StatusBadge } from "../ui/StatusBadge";
import { useReason } from "../ui/words";
import { useMessengerProvider } from "../useMessengerProvider";
import { Credentials } from "./Credentials";
import { Danger } from "./Danger";
import { Errors } from "./Errors";
import { History } from "./History";
import { Lifecycle } from "./Lifecycle";
import { Login } from "./Login";
import { Logs } from "./Logs";
import { Overview } from "./Overview";

const Messages = lazy(async () => ({ default: (await import("../messages/Messages")).Messages }));
const Metrics = lazy(async () => ({ default: (await import("./Metrics")).Metrics }));
const Webhook = lazy(async () => ({ default: (await import("../webhooks/Webhook")).Webhook }));

const PANELS: Record<Tab, ComponentType<{ instance: Instance }>> = {
  overview: Overview,
  login: Login,
  messages: Messages,
  webhook: Webhook,
  logs: Logs,
  history: History,
  errors: Errors,
  metrics: Metrics,
  credentials: Credentials,
  danger: Danger,
};
const NEEDS: Partial<Record<Tab, Role>> = { credentials: "admin", danger: "admin" };

/** Everything about one instance. */
export function MessengerInstanceDetail() {
  const { t } = useTranslation();
  const { id } = useParams({ from: "/instances/$id" });
  const { selectedInstance: instance, error, fetchInstances } = useMessengerProvider({ selectedId: id });
  if (error?.status === 404) return <Gone />;
  if (!instance) {
    return error ? <ProblemAlert error={error} onRetry={() => void fetchInstances()} /> : <Skeleton h={320} />;
  }
  return (
    <Stack gap="md">
      <Anchor size="sm" renderRoot={(props) => <Link to="/" search={lastSearch()} {...props} />} w="fit-content">
        <Group gap={4}>
          <Icon name="back" size={15} /> {t("detail.back")}
        </Group>
      </Anchor>
      <Head instance={instance} />
      <Panels instance={instance} />
    </Stack>
  );
}

function Head({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const reason = useReason();
  const denied = useDenied()("admin");
  const link = (props: object) => <Link to="/instances/$id/edit" params={{ id: instance.id }} {...props} />;
  return (
    <Group justify="space-between" align="start">
      <Stack gap={4} style={{ flex: "1 1 260px" }} miw={0}>
        <Title order={1} size="h3" style={{ overflowWrap: "anywhere" }}>
          {titleOf(instance)}
        </Title>
        <Group gap="sm" aria-live="polite">
          <StatusBadge status={instance.status} />
          <Text size="sm" c="dimmed" mih={22}>
            {reason(instance.reason)}
          </Text>
        </Group>
      </Stack>
      <Group gap="xs">
        <Lifecycle instance={instance} />
        <Button
          variant="default"
          leftSection={<Icon name="edit" />}
          {...(denied ? { disabled: true, title: denied } : { renderRoot: link })}
        >
          {t("action.edit")}
        </Button>
      </Group>
    </Group>
  );
}

function Panels({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const { tab = "overview" } = useSearch({ from: "/instances/$id" });
  const denied = useDenied()(NEEDS[tab] ?? "viewer");
  const navigate = useNavigate({ from: "/instances/$id" });
  const Panel = PANELS[tab];
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const active = list.current?.querySelector("[aria-selected=true]");
    active?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [tab]);
  return (
    <Tabs
      value={tab}
      onChange={(value) => void navigate({ search: { tab: value as Tab }, replace: true, resetScroll: false })}
      keepMounted={false}
    >
      <Tabs.List ref={list} style={{ flexWrap: "nowrap", overflowX: "auto", overflowY: "hidden" }}>
        {TABS.map((each) => (
          <Tabs.Tab key={each} value={each} style={{ whiteSpace: "nowrap", flexShrink: 0 }}>
            {t(`tab.${each}`)}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value={tab} pt="md" mih={360}>
        {denied ? (
          <Empty title={t(`tab.${tab}`)} hint={denied} />
        ) : (
          <Suspense fallback={<Skeleton h={620} />}>
            <Panel instance={instance} />
          </Suspense>
        )}
      </Tabs.Panel>
    </Tabs>
  );
}

function Gone() {
  const { t } = useTranslation();
  return (
    <Empty level={1} title={t("detail.gone")} hint={t("detail.goneHint")}>
      <Button renderRoot={(props) => <Link to="/" {...props} />}>{t("notFound.back")}</Button>
    </Empty>
  );
}
