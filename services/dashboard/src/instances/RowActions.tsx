import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { useInstanceActions } from "../api/useInstanceActions";
import { Icon } from "../ui/Icon";
import { useDenied } from "../ui/session";
import { useAct } from "../ui/useAct";
import classes from "./InstanceTable.module.css";
import { titleOf } from "./view";

/** Start or stop, whichever makes sense now. */
export function RowActions({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const denied = useDenied();
  const { start, stop } = useInstanceActions();
  const { act, busy } = useAct();
  const name = titleOf(instance);
  const isOff = ["stopped", "error", "logged_out"].includes(instance.status);
  const verb = isOff ? "start" : "stop";
  return (
    <div className={classes.actions}>
      <button
        type="button"
        className={classes.action}
        disabled={busy !== null || !!denied("operator")}
        aria-label={`${t(`action.${verb}`)}: ${name}`}
        title={denied("operator") ?? t(`action.${verb}`)}
        onClick={() => void act(verb, () => (isOff ? start(instance.id) : stop(instance.id)))}
      >
        <Icon name={isOff ? "play" : "stop"} />
      </button>
      {denied("admin") ? (
        <button
          type="button"
          className={classes.action}
          disabled
          aria-label={`${t("action.edit")}: ${name}`}
          title={denied("admin")}
        >
          <Icon name="edit" />
        </button>
      ) : (
        <Link
          to="/instances/$id/edit"
          params={{ id: instance.id }}
          className={classes.action}
          aria-label={`${t("action.edit")}: ${name}`}
          title={t("action.edit")}
        >
          <Icon name="edit" />
        </Link>
      )}
    </div>
  );
}
