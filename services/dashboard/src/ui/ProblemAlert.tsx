import { Alert, Button, Group, List, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { asProblem } from "../api/problem";
import { Icon } from "./Icon";
import { useProblemText } from "./words";

/** What went wrong, what to do about it, and a button to try again. */
export function ProblemAlert({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation();
  const text = useProblemText();
  const problem = asProblem(error);
  return (
    <Alert color="red" icon={<Icon name="warning" />} title={text(problem)} role="alert">
      {problem.details.length > 0 && (
        <List size="sm">
          {problem.details.map(({ field, problem: what }) => (
            <List.Item key={field}>
              <b>{field}</b> {what}
            </List.Item>
          ))}
        </List>
      )}
      <Group justify="space-between" align="end">
        <Text size="sm" className="request-id">
          {problem.mayPass ? t("problem.mayPass") : t("problem.code", { code: problem.code })}
          {problem.requestId && ` · ${t("problem.request", { id: problem.requestId })}`}
        </Text>
        {onRetry && (
          <Button size="xs" variant="default" onClick={onRetry}>
            {t("action.retry")}
          </Button>
        )}
      </Group>
    </Alert>
  );
}
