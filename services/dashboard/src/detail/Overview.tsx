import { Alert, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { useProviderTitle } from "../instances/useProviderTitle";
import { messagesToday, needsPerson } from "../instances/view";
import { CopyField } from "../ui/CopyField";
import { Icon } from "../ui/Icon";
import { When } from "../ui/When";
import { isOnItsWay, useFormats, useReason } from "../ui/words";
import { Facts } from "./Facts";
import { activityQuery } from "./queries";

export function Overview({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const { number } = useFormats();
  const titleOfProvider = useProviderTitle();
  const { data: activity } = useQuery(activityQuery(instance.id));
  const webhook = instance.api_webhook_schema;
  return (
    <Stack>
      <Notes instance={instance} />
      <Facts
        rows={[
          [t("fact.desired"), t(`desired.${instance.desired}`)],
          [t("fact.observed"), t(`status.${instance.status}`)],
          [t("fact.proved"), <When key="proved" at={instance.observed_at} />],
          [t("fact.seen"), <When key="seen" at={instance.last_seen} />],
          [t("fact.provider"), titleOfProvider(instance.provider)],
          [t("fact.account"), instance.account],
          [t("fact.phone"), instance.phone_number],
          [t("fact.user"), instance.user_id],
          [t("fact.health"), activity ? `${activity.health_score} / 100` : "…"],
          [t("fact.uptime"), activity ? t("fact.hours", { hours: number(activity.uptime_hours, 1) }) : "…"],
          [t("fact.today"), number(messagesToday(instance, new Date()))],
          [t("fact.worker"), instance.worker],
          [t("fact.isolation"), t(`isolation.${instance.isolation}`)],
        ]}
      />
      <Facts
        rows={[
          [t("fact.id"), <CopyField key="id" label={t("fact.id")} value={instance.id} />],
          [t("fact.portApi"), instance.port_api],
          [t("fact.portMcp"), instance.port_mcp],
          [t("fact.webhook"), webhook ? `${webhook.url}${webhook.enabled ? "" : ` (${t("fact.off")})`}` : null],
          [t("fact.token"), instance.token_hint ? `••••${instance.token_hint}` : null],
          [t("fact.proxy"), instance.has_proxy ? t("fact.isSet") : null],
          [t("fact.created"), <When key="created" at={instance.created_at} />],
        ]}
      />
    </Stack>
  );
}

/** What stands in the way: a person's step, a limit of the messenger, or a wish that is not fulfilled yet. */
function Notes({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const { time } = useFormats();
  const reason = useReason();
  const limit = instance.restriction;
  return (
    <>
      {needsPerson(instance) && (
        <Alert color="orange" icon={<Icon name="warning" />} title={t(`userAction.${instance.reason.user_action}`)}>
          {reason(instance.reason)}
        </Alert>
      )}
      {limit && (
        <Alert color="orange" icon={<Icon name="warning" />} title={t("restriction.title", { kind: limit.kind })}>
          {limit.until ? t("restriction.until", { time: time(limit.until) }) : t("restriction.open")}
        </Alert>
      )}
      {isOnItsWay(instance) && (
        <Alert color="blue" title={t("desired.differs", { desired: t(`desired.${instance.desired}`) })} />
      )}
    </>
  );
}
