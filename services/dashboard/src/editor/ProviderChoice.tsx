import { Radio, SimpleGrid, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Provider, ProviderItem } from "../api/types";
import type { Form } from "./form";
import classes from "./editor.module.css";

export function ProviderChoice({ providers, draft, change }: Form & { providers: ProviderItem[] }) {
  const { t } = useTranslation();
  return (
    <Radio.Group
      label={t("editor.provider")}
      value={draft.provider}
      onChange={(value) => change({ provider: value as Provider, fields: {} }, "provider")}
    >
      <SimpleGrid cols={{ base: 1, xs: 2 }} mt={6} spacing="sm">
        {providers.map(({ description }) => (
          <Radio.Card key={description.id} value={description.id} className={classes.card}>
            <Radio.Indicator />
            <div>
              <Text fw={600}>{description.title}</Text>
              <Text size="xs" c="dimmed">
                {description.capabilities
                  .filter((each) => each.endsWith("_login") || each === "pairing_code")
                  .map((each) => t(`capability.${each}`))
                  .join(" · ")}
              </Text>
            </div>
          </Radio.Card>
        ))}
      </SimpleGrid>
    </Radio.Group>
  );
}
