import { Link } from "@tanstack/react-router";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import type { Instance, Provider } from "../api/types";
import { StatusBadge } from "../ui/StatusBadge";
import { When } from "../ui/When";
import { useReason } from "../ui/words";
import classes from "./InstanceTable.module.css";
import { RowActions } from "./RowActions";
import { messagesToday, titleOf } from "./view";

type Props = {
  instance: Instance;
  index: number;
  isSelected: boolean;
  onToggle: (id: string) => void;
  titleOfProvider: (provider: Provider) => string;
};

/** Plain elements rather than components of the library: while the list is scrolled, many are made each second. */
export const InstanceRow = memo(function InstanceRow(props: Props) {
  const { instance, index, isSelected, onToggle, titleOfProvider } = props;
  const { t } = useTranslation();
  const reason = useReason();
  const why = reason(instance.reason);
  return (
    <tr className={classes.row} data-selected={isSelected} data-instance={instance.id} aria-rowindex={index}>
      <td>
        <input
          type="checkbox"
          aria-label={t("instances.select", { name: titleOf(instance) })}
          checked={isSelected}
          onChange={() => onToggle(instance.id)}
        />
      </td>
      <td>
        <Link to="/instances/$id" params={{ id: instance.id }} className={classes.name}>
          <div className={classes.line}>{titleOf(instance)}</div>
        </Link>
        <div className={classes.small}>{instance.account ?? instance.id}</div>
      </td>
      <td>
        <StatusBadge status={instance.status} />
        <div className={classes.small} title={why}>
          {why}
        </div>
      </td>
      <td>{titleOfProvider(instance.provider)}</td>
      <td title={instance.user_id}>{instance.user_id}</td>
      <td className={classes.number}>{instance.port ?? "—"}</td>
      <td>
        <When at={instance.last_seen} />
      </td>
      <td className={classes.number}>{messagesToday(instance, new Date())}</td>
      <td>
        <RowActions instance={instance} />
      </td>
    </tr>
  );
});
