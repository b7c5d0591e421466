import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import classes from "./detail.module.css";
import { useCountdown } from "./useCountdown";

type Props = { code: string; until: number; onEnd: () => void };

/** A code that is typed on the phone, as long as it holds; `until` in ms of this machine's clock. */
export function Code({ code, until, onEnd }: Props) {
  const { t } = useTranslation();
  const left = useCountdown(until, onEnd);
  if (left === 0) return null;
  return (
    <div role="status">
      <div className={classes.code} data-code>
        {code}
      </div>
      <Text size="sm" c="dimmed">
        {t("pairing.hint")} {until < Infinity && t("qr.left", { count: left })}
      </Text>
    </div>
  );
}
