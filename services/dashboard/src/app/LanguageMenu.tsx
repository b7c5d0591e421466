import { NativeSelect } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { chooseLanguage, LANGUAGES, type Language } from "../words";
import { loadsAnewFor } from "./loadAnew";

export function LanguageMenu() {
  const { t, i18n } = useTranslation();
  return (
    <NativeSelect
      size="xs"
      aria-label={t("shell.language")}
      value={i18n.resolvedLanguage ?? "en"}
      onChange={(event) => void chooseLanguage(event.currentTarget.value as Language).catch(loadsAnewFor)}
      data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
    />
  );
}
