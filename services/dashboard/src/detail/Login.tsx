import { Button, Group, Loader, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Instance, LoginStep } from "../api/types";
import { useInstanceActions } from "../api/useInstanceActions";
import { Empty } from "../ui/Empty";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useDenied } from "../ui/session";
import { useAct } from "../ui/useAct";
import { useReason } from "../ui/words";
import { Code } from "./Code";
import { LoginForm } from "./LoginForm";
import { QrLogin } from "./QrLogin";
import { loginQuery } from "./queries";

/** Whatever the login asks for next. The gateway says what that is, for every provider alike. */
export function Login({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const { data: step, error, refetch } = useQuery(loginQuery(instance.id));
  if (error) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  if (!step) return <Loader role="status" aria-label={t("action.loading")} />;
  switch (step.type) {
    case "display_qr":
      return <QrLogin instance={instance} step={step} />;
    case "done":
      return <Done instance={instance} />;
    case "display_code":
      return <TypeCode step={step} onEnd={() => void refetch()} />;
    case "input_phone":
    case "input_code":
    case "input_password":
      return <LoginForm instance={instance} step={step} />;
    default:
      return <Waiting instance={instance} step={step} />;
  }
}

function TypeCode({ step, onEnd }: { step: LoginStep; onEnd: () => void }) {
  const { t } = useTranslation();
  const until = step.expires_at ? Date.parse(step.expires_at) : Infinity;
  return (
    <Empty title={t("step.display_code")} hint={step.instructions}>
      {step.code && <Code code={step.code} until={until} onEnd={onEnd} />}
    </Empty>
  );
}

function Done({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  return (
    <Empty
      title={t("login.done", { account: instance.account ?? instance.phone_number ?? "" })}
      hint={instance.is_ready_for_messages ? t("login.doneHint") : t(`status.${instance.status}`)}
    >
      {instance.is_ready_for_messages && (
        <Button
          renderRoot={(props) => (
            <Link to="/instances/$id" params={{ id: instance.id }} search={{ tab: "messages" }} {...props} />
          )}
        >
          {t("login.sendFirst")}
        </Button>
      )}
    </Empty>
  );
}

/** A step that is done elsewhere, or nothing yet: never a blank page. */
function Waiting({ instance, step }: { instance: Instance; step: LoginStep }) {
  const { t } = useTranslation();
  const reason = useReason();
  const denied = useDenied()("operator");
  const { start, restart } = useInstanceActions();
  const { act, busy } = useAct();
  // What is done in the messenger's own app ends the login here: it is begun anew afterwards.
  const isElsewhere = step.type === "passkey";
  const isOver = ["logged_out", "stopped", "error"].includes(instance.status);
  const title = isOver ? t(`status.${instance.status}`) : t(`step.${step.type}`);
  return (
    <Stack align="center">
      <Empty title={title} hint={reason(instance.reason)}>
        {(isOver || isElsewhere) && (
          <Button
            loading={busy !== null}
            disabled={!!denied}
            title={denied}
            onClick={() => void act("start", () => (isOver ? start(instance.id) : restart(instance.id)))}
          >
            {instance.status === "logged_out" || isElsewhere ? t("login.again") : t("action.start")}
          </Button>
        )}
        {!isOver && !isElsewhere && (
          <Group gap="xs">
            <Loader size="xs" aria-hidden />
            <Text size="sm">{t(`userAction.${instance.reason.user_action}`)}</Text>
          </Group>
        )}
      </Empty>
    </Stack>
  );
}
