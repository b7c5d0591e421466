import { Alert } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "../ui/Icon";
import { useLive } from "./LiveContext";

/** A break shorter than this is not worth a word. */
const PATIENCE_MS = 1500;

/** Says that what is shown may be old. It lies over the page, so that nothing jumps. */
export function LinkBanner() {
  const { t } = useTranslation();
  const { state } = useLive();
  const [down, setDown] = useState(false);
  useEffect(() => {
    if (state === "live") return setDown(false);
    const timer = setTimeout(() => setDown(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [state]);
  if (!down) return null;
  return (
    <Alert
      color="orange"
      variant="outline"
      icon={<Icon name="warning" />}
      title={t("link.down")}
      role="status"
      style={{ position: "fixed", left: 12, right: 12, bottom: 12, zIndex: 250, background: "var(--mantine-color-body)" }}
    >
      {t("link.downHint")}
    </Alert>
  );
}
