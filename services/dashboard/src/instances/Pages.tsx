import { Group, Pagination, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Pagination as Shown } from "../useMessengerProvider";

export function Pages({ pagination }: { pagination: Shown }) {
  const { t } = useTranslation();
  return (
    <Group justify="center">
      <Pagination
        value={pagination.page + 1}
        total={pagination.pages}
        onChange={(page) => pagination.setPage(page - 1)}
        getControlProps={(control) => ({ "aria-label": t(`page.${control}`) })}
      />
      <Text size="sm" c="dimmed">
        {t("page.hint", { count: pagination.total })}
      </Text>
    </Group>
  );
}
