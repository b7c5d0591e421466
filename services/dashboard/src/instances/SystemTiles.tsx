import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { performanceQuery, statsQuery } from "../api/queries";
import type { Instance, MemoryStats } from "../api/types";
import { useIsOperatorOfAll } from "../ui/session";
import { Tile } from "../ui/Tile";
import { usePhone } from "../ui/usePhone";
import { useFormats } from "../ui/words";
import classes from "./InstanceTable.module.css";
import { needsPerson } from "./view";

/** The figures over all instances; those of the system only for whom they are. */
export function SystemTiles({ stats, instances }: { stats: MemoryStats | null; instances: readonly Instance[] }) {
  const { t } = useTranslation();
  const { number } = useFormats();
  const all = useIsOperatorOfAll();
  const { data, dataUpdatedAt } = useQuery({ ...performanceQuery(), enabled: all });
  const ports = data?.systemHealth.portStatistics;
  const requests = data?.performance;
  const hands = instances.filter(needsPerson).length;
  const { dataUpdatedAt: statsAt } = useQuery(statsQuery());
  const at = Math.max(dataUpdatedAt, statsAt);
  const phone = usePhone();

  return (
    <section className={classes.tiles} aria-label={t("tile.title")} tabIndex={phone ? 0 : undefined}>
      <Tile
        label={t("tile.instances")}
        value={stats && number(stats.total_instances)}
        hint={stats ? t("tile.ready", { count: instances.filter((each) => each.is_ready_for_messages).length }) : ""}
      />
      <Tile
        label={t("tile.attention")}
        value={stats && number(hands)}
        hint={stats ? t("tile.errors", { count: stats.error_instances, qr: stats.qr_pending_instances }) : ""}
      />
      <Tile
        label={t("tile.messages")}
        value={stats && number(stats.total_messages_today)}
        hint={stats ? t("tile.uptime", { hours: number(stats.avg_uptime_hours, 1) }) : ""}
        trend={stats ? { value: stats.total_messages_today, at } : undefined}
      />
      <Tile
        label={t("tile.memory")}
        value={stats && `${number(stats.memory_usage_mb)} MB`}
        hint={t("tile.memoryHint")}
        trend={stats ? { value: stats.memory_usage_mb, at } : undefined}
      />
      {all && (
        <Tile
          label={t("tile.ports")}
          value={ports ? `${number(ports.utilizationPercent, 1)} %` : null}
          hint={ports ? t("tile.portsHint", { used: number(ports.usedPorts), total: number(ports.totalPorts) }) : ""}
          trend={ports && { value: ports.usedPorts, at }}
        />
      )}
      {all && (
        <Tile
          label={t("tile.response")}
          value={requests ? `${number(requests.averageResponseTime, 1)} ms` : null}
          hint={requests ? t("tile.failures", { percent: number(100 * requests.failureRate, 2) }) : ""}
          trend={requests ? { value: requests.averageResponseTime, at } : undefined}
        />
      )}
    </section>
  );
}
