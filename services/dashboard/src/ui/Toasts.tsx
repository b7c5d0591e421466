import { CloseButton } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { dismiss, shownToasts } from "./toast";
import classes from "./Toasts.module.css";

/** Read out as they come, and closed by hand or by themselves. */
export function Toasts() {
  const { t } = useTranslation();
  const toasts = useSyncExternalStore(shownToasts.subscribe, shownToasts.get);
  return (
    <div className={classes.corner} aria-live="polite">
      {toasts.map(({ id, title, message, tone }) => (
        <div key={id} className={classes.toast} data-tone={tone}>
          <div>
            {title && <b>{title}</b>}
            <div>{message}</div>
          </div>
          <CloseButton size="sm" aria-label={t("action.close")} onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
