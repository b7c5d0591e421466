import { Badge, Button, Group, Paper, SimpleGrid, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { providersQuery } from "../api/queries";
import type { ProviderItem } from "../api/types";
import { Facts } from "../detail/Facts";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useFormats } from "../ui/words";

/** What messengers there are, what they can do, and how their instances are. */
export function MessengerProviderList() {
  const { t } = useTranslation();
  const { data, error, refetch } = useQuery(providersQuery());
  if (error) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  return (
    <Stack>
      <Title order={1} size="h3">
        {t("shell.providers")}
      </Title>
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        {data ? data.map((item) => <Item key={item.description.id} item={item} />) : <Skeleton h={260} />}
      </SimpleGrid>
    </Stack>
  );
}

function Item({ item }: { item: ProviderItem }) {
  const { t } = useTranslation();
  const { number } = useFormats();
  const { description } = item;
  const health = item.workers === 0 ? "none" : item.active > item.ready ? "partly" : "good";
  return (
    <Paper withBorder p="lg" radius="md" component="section" aria-label={description.title}>
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h4">
            {description.title}
          </Title>
          <Text size="sm" fw={600}>
            {t(`providers.${health}`)}
          </Text>
        </Group>
        <Group gap={6}>
          {description.capabilities.map((each) => (
            <Badge key={each} variant="outline" color="gray" tt="none" fw={500}>
              {t(`capability.${each}`)}
            </Badge>
          ))}
        </Group>
        <Facts
          rows={[
            [t("providers.workers"), number(item.workers)],
            [t("providers.instances"), number(item.instances)],
            [t("providers.active"), number(item.active)],
            [t("providers.ready"), number(item.ready)],
          ]}
        />
        <Button
          variant="default"
          w="fit-content"
          renderRoot={(props) => <Link to="/" search={{ provider: description.id }} {...props} />}
        >
          {t("providers.show")}
        </Button>
      </Stack>
    </Paper>
  );
}
