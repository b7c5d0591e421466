import { List, Loader, Progress, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { asProblem } from "../api/problem";
import type { Instance, LoginStep, QrAnswer } from "../api/types";
import { useInstanceActions } from "../api/useInstanceActions";
import { useCapabilities } from "../instances/useLacking";
import { ProblemAlert } from "../ui/ProblemAlert";
import classes from "./detail.module.css";
import { LoginForm } from "./LoginForm";
import { PairingCode } from "./PairingCode";
import { useCountdown } from "./useCountdown";

/** The QR code that can be scanned now. Each new one is pushed; the countdown uses the gateway's clock. */
export function QrLogin({ instance, step }: { instance: Instance; step: LoginStep }) {
  const { t } = useTranslation();
  const can = useCapabilities(instance);
  return (
    <div className={classes.login}>
      <QrCode instance={instance} code={step.code} />
      <Stack>
        <Title order={2} size="h5">
          {t("qr.title")}
        </Title>
        <List type="ordered" spacing={4}>
          <List.Item>{t(`qr.open.${instance.provider}`)}</List.Item>
          <List.Item>{t(`qr.menu.${instance.provider}`)}</List.Item>
          <List.Item>{t("qr.scan")}</List.Item>
        </List>
        {can?.includes("pairing_code") && <PairingCode instance={instance} />}
        {can?.includes("phone_login") && (
          <LoginForm instance={instance} step={step} title={t("login.byPhone")} hint={t("login.byPhoneHint")} />
        )}
      </Stack>
    </div>
  );
}

function QrCode({ instance, code }: { instance: Instance; code: string | null }) {
  const { t } = useTranslation();
  const { getQR } = useInstanceActions();
  const { data, dataUpdatedAt, error, refetch } = useQuery({
    // A new code is another key; other news about the instance are none about this code.
    queryKey: ["qr", instance.id, code],
    queryFn: ({ signal }): Promise<QrAnswer> => getQR(instance.id, signal),
    gcTime: 0, // a code is worth nothing later
  });
  const left = useCountdown(data ? dataUpdatedAt + data.expires_in * 1000 : null, () => void refetch());
  const gone = error && asProblem(error).code === "QR_NOT_AVAILABLE";
  if (error && !gone) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  const fresh = data && !gone && left > 0;
  return (
    <Stack gap={8} w={300}>
      <div className={classes.qr}>
        {fresh ? <img src={data.qr_code} alt={t("qr.alt")} data-qr /> : <Loader role="status" aria-label={t("qr.renewing")} />}
      </div>
      <Progress value={fresh ? (100 * left) / Math.max(1, data.expires_in) : 0} size="sm" aria-hidden />
      <Text size="sm" ta="center" role="timer">
        {fresh ? t("qr.left", { count: left }) : t("qr.renewing")}
      </Text>
    </Stack>
  );
}
