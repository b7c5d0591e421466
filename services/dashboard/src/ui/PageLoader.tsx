import { Center, Loader } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** The page before it can show anything. */
export function PageLoader() {
  const { t } = useTranslation();
  return (
    <Center h="100dvh">
      <Loader role="status" aria-label={t("action.loading")} />
    </Center>
  );
}
