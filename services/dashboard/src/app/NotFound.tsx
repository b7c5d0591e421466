import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { Empty } from "../ui/Empty";
import { ProblemAlert } from "../ui/ProblemAlert";

export function NotFound() {
  const { t } = useTranslation();
  return (
    <Empty level={1} title={t("notFound.title")} hint={t("notFound.hint")}>
      <Button renderRoot={(props) => <Link to="/" {...props} />}>{t("notFound.back")}</Button>
    </Empty>
  );
}

/** A page that broke, or whose code could not be loaded because a newer version is served by now. */
export function PageFailed({ error }: { error: unknown }) {
  return <ProblemAlert error={error} onRetry={() => location.reload()} />;
}
