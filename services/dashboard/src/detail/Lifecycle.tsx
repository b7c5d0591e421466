import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { useInstanceActions } from "../api/useInstanceActions";
import { Icon } from "../ui/Icon";
import { useDenied } from "../ui/session";
import { useAct } from "../ui/useAct";

/** Start, stop and restart: nothing here that could not be undone. */
export function Lifecycle({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const denied = useDenied()("operator");
  const { start, stop, restart } = useInstanceActions();
  const { act, busy } = useAct();
  const off = { disabled: !!denied, title: denied };
  const isOff = ["stopped", "error", "logged_out"].includes(instance.status);
  if (isOff) {
    return (
      <Button
        leftSection={<Icon name="play" />}
        loading={busy === "start"}
        {...off}
        onClick={() => void act("start", () => start(instance.id))}
      >
        {t("action.start")}
      </Button>
    );
  }
  return (
    <>
      <Button
        variant="default"
        leftSection={<Icon name="restart" />}
        loading={busy === "restart"}
        {...off}
        onClick={() => void act("restart", () => restart(instance.id))}
      >
        {t("action.restart")}
      </Button>
      <Button
        variant="default"
        leftSection={<Icon name="stop" />}
        loading={busy === "stop"}
        {...off}
        onClick={() => void act("stop", () => stop(instance.id))}
      >
        {t("action.stop")}
      </Button>
    </>
  );
}
