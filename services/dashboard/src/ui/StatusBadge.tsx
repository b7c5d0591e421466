import { useTranslation } from "react-i18next";
import type { Status } from "../api/types";
import classes from "./StatusBadge.module.css";

type Look = "good" | "busy" | "person" | "bad" | "off";

export const LOOKS: Record<Status, Look> = {
  pending: "busy",
  starting: "busy",
  qr_ready: "person",
  action_required: "person",
  authenticated: "busy",
  client_ready: "good",
  reconnecting: "busy",
  logged_out: "bad",
  stopped: "off",
  error: "bad",
  deleted: "off",
};

/** A status as a mark and a word: colour alone says nothing to some. Plain elements: a long list has many. */
export function StatusBadge({ status }: { status: Status }) {
  const { t } = useTranslation();
  return (
    <span className={classes.badge} data-status={status}>
      <span className={classes.mark} data-look={LOOKS[status]} aria-hidden />
      {t(`status.${status}`)}
    </span>
  );
}
