import { Button, Code, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { messengerAPI, ok } from "../api/messengerAPI";
import type { Delivery } from "../api/types";
import { Facts } from "../detail/Facts";
import { CopyField } from "../ui/CopyField";
import { Icon } from "../ui/Icon";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useDenied } from "../ui/session";
import { useAct } from "../ui/useAct";
import { useFormats } from "../ui/words";
import { answerOf, DeliveryState } from "./Deliveries";
import { deliveryQuery } from "./queries";
import classes from "./webhooks.module.css";

type Props = { id: string; deliveryId: string; onClose: () => void };

/** One delivery: its body, what the target said, and a button to deliver it once more. */
export function DeliveryDetails({ id, deliveryId, onClose }: Props) {
  const { t } = useTranslation();
  const { data, error, refetch } = useQuery(deliveryQuery(id, deliveryId));
  return (
    <Stack>
      <Button variant="default" size="xs" w="fit-content" autoFocus leftSection={<Icon name="back" size={16} />} onClick={onClose}>
        {t("delivery.back")}
      </Button>
      {error && <ProblemAlert error={error} onRetry={() => void refetch()} />}
      {!data && !error && <Skeleton h={320} />}
      {data && <Details id={id} {...data} />}
    </Stack>
  );
}

function Details({ id, delivery, body }: { id: string; delivery: Delivery; body: Record<string, unknown> }) {
  const { t } = useTranslation();
  const { time, number } = useFormats();
  const denied = useDenied()("operator");
  const queries = useQueryClient();
  const { act, busy } = useAct();
  const params = { path: { id, delivery_id: delivery.id } };
  const isWaiting = delivery.status === "pending";

  async function redeliver(): Promise<void> {
    await ok(messengerAPI.POST("/api/v1/instances/{id}/webhook/deliveries/{delivery_id}/redeliver", { params }));
    await queries.invalidateQueries({ queryKey: ["of", id] });
  }

  return (
    <Stack>
      <Facts
        rows={[
          [t("delivery.id"), <CopyField key="id" label={t("delivery.id")} value={delivery.id} />],
          [t("delivery.event"), delivery.event],
          [t("delivery.status"), <DeliveryState key="status" status={delivery.status} />],
          [t("delivery.tries"), number(delivery.tries)],
          [t("delivery.last"), delivery.tried_at && time(delivery.tried_at)],
          [t("delivery.next"), delivery.next_at && time(delivery.next_at)],
          [t("delivery.answer"), answerOf(delivery) || null],
          [t("delivery.took"), delivery.duration_ms === null ? null : `${number(delivery.duration_ms)} ms`],
        ]}
      />
      {delivery.response && <Block title={t("delivery.response")} text={delivery.response} />}
      <Block title={t("delivery.body")} text={JSON.stringify(body, null, 2)} />
      <Button
        w="fit-content"
        loading={busy !== null}
        disabled={isWaiting || !!denied}
        title={denied ?? (isWaiting ? t("delivery.waits") : undefined)}
        onClick={() => void act("redeliver", redeliver, t("deliveries.again"))}
      >
        {t("delivery.redeliver")}
      </Button>
    </Stack>
  );
}

function Block({ title, text }: { title: string; text: string }) {
  return (
    <div>
      <Text size="sm" fw={600} mb={4}>
        {title}
      </Text>
      <Code block tabIndex={0} role="region" aria-label={title} className={classes.block}>
        {text}
      </Code>
    </div>
  );
}
