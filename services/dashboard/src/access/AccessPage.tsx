import { Stack, Tabs, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Audit } from "./Audit";
import { Tokens } from "./Tokens";

/** Who may do what, and who did. */
export function AccessPage() {
  const { t } = useTranslation();
  return (
    <Stack>
      <Title order={1} size="h3">
        {t("shell.access")}
      </Title>
      <Tabs defaultValue="tokens" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="tokens">{t("access.tokens")}</Tabs.Tab>
          <Tabs.Tab value="audit">{t("access.audit")}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="tokens" pt="md">
          <Tokens />
        </Tabs.Panel>
        <Tabs.Panel value="audit" pt="md">
          <Audit />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}
