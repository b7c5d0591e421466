import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Empty } from "../ui/Empty";
import { PageLoader } from "../ui/PageLoader";
import { ProblemAlert } from "../ui/ProblemAlert";
import { loadsAnewFor } from "./loadAnew";

export function NotFound() {
  const { t } = useTranslation();
  return (
    <Empty level={1} title={t("notFound.title")} hint={t("notFound.hint")}>
      <Button renderRoot={(props) => <Link to="/" {...props} />}>{t("notFound.back")}</Button>
    </Empty>
  );
}

/** A page that broke, or whose code did not come: the network changed, or a newer version is served by now. */
export function PageFailed({ error }: { error: unknown }) {
  const [comesBack, setComesBack] = useState(false);
  useEffect(() => setComesBack(loadsAnewFor(error)), [error]);
  if (comesBack) return <PageLoader />;
  return <ProblemAlert error={error} onRetry={() => location.reload()} />;
}
