import { Button, Group, Skeleton, Stack, Title } from "@mantine/core";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Empty } from "../ui/Empty";
import { Icon } from "../ui/Icon";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useDenied } from "../ui/session";
import { usePhone } from "../ui/usePhone";
import { useMessengerProvider } from "../useMessengerProvider";
import { filtersOf, rememberSearch, searchOf } from "./address";
import { BulkBar } from "./BulkBar";
import { InstanceCards } from "./InstanceCards";
import { InstanceFilters } from "./InstanceFilters";
import { InstanceTable } from "./InstanceTable";
import { Repairs } from "./Repairs";
import { SystemTiles } from "./SystemTiles";
import { NO_FILTERS, type Filters } from "./view";

/** Few have so many that the list needs more than one page. */
const Pages = lazy(async () => ({ default: (await import("./Pages")).Pages }));

/** The live list of instances, and how the whole does. */
export function MessengerInstanceManager() {
  const { t } = useTranslation();
  const search = useSearch({ from: "/" });
  const navigate = useNavigate({ from: "/" });
  const filters = useMemo(() => filtersOf(search), [search]);
  const onFilters = useCallback(
    (wanted: Filters) => void navigate({ search: searchOf(wanted), replace: true, resetScroll: false }),
    [navigate],
  );
  useEffect(() => rememberSearch(search), [search]);
  const provider = useMessengerProvider({ filters, onFilters });
  const { instances, allInstances, pagination, isLoading, error } = provider;
  const [selected, setSelected] = useState<ReadonlySet<string>>(NOBODY);
  const phone = usePhone();
  const List = phone ? InstanceCards : InstanceTable;

  return (
    <Stack gap="md">
      <Group justify="space-between">
        <Title order={1} size="h3">
          {t("instances.title")}
        </Title>
        <CreateButton />
      </Group>
      <SystemTiles stats={provider.stats} instances={allInstances} />
      <Repairs
        instances={allInstances}
        isLoading={isLoading}
        onAll={() => onFilters({ ...NO_FILTERS, status: "attention" })}
      />
      <InstanceFilters filters={filters} onFilters={onFilters} shown={instances.length} total={pagination.total} />
      {error && !isLoading && <ProblemAlert error={error} onRetry={() => void provider.fetchInstances()} />}
      {isLoading && !error && <Waiting />}
      {!isLoading && instances.length > 0 && (
        <List
          instances={instances}
          filters={filters}
          onFilters={onFilters}
          selected={selected}
          onSelected={setSelected}
        />
      )}
      {!isLoading && !error && instances.length === 0 && (
        <Nothing filtered={allInstances.length > 0} onReset={() => onFilters(NO_FILTERS)} />
      )}
      {pagination.pages > 1 && (
        <Suspense>
          <Pages pagination={pagination} />
        </Suspense>
      )}
      <BulkBar selected={selected} instances={allInstances} onSelected={setSelected} />
    </Stack>
  );
}

const NOBODY: ReadonlySet<string> = new Set();

function CreateButton() {
  const { t } = useTranslation();
  const denied = useDenied()("admin");
  if (denied) {
    return (
      <Button leftSection={<Icon name="plus" />} disabled title={denied}>
        {t("instances.create")}
      </Button>
    );
  }
  return (
    <Button leftSection={<Icon name="plus" />} renderRoot={(props) => <Link to="/instances/new" {...props} />}>
      {t("instances.create")}
    </Button>
  );
}

function Nothing({ filtered, onReset }: { filtered: boolean; onReset: () => void }) {
  const { t } = useTranslation();
  if (!filtered) {
    return (
      <Empty title={t("instances.none")} hint={t("instances.noneHint")}>
        <CreateButton />
      </Empty>
    );
  }
  return (
    <Empty title={t("instances.noMatch")} hint={t("instances.noMatchHint")}>
      <Button variant="default" onClick={onReset}>
        {t("filter.reset")}
      </Button>
    </Empty>
  );
}

function Waiting() {
  return (
    <Stack gap={6} aria-hidden>
      {Array.from({ length: 8 }, (_, row) => (
        <Skeleton key={row} h={52} radius="md" />
      ))}
    </Stack>
  );
}
