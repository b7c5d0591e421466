import { Checkbox, Group, Switch, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Interface } from "../api/types";
import { useSession } from "../ui/session";
import type { Form } from "./form";

const INTERFACES: readonly Interface[] = ["api", "mcp"];

export function GeneralFields({ isNew, draft, change, message }: Form & { isNew: boolean }) {
  const { t } = useTranslation();
  const session = useSession();
  return (
    <>
      <TextInput
        label={t("editor.name")}
        description={t("editor.nameHint")}
        value={draft.name}
        onChange={(event) => change({ name: event.currentTarget.value }, "name")}
        error={message("name")}
      />
      {isNew && (
        <>
          <TextInput
            label={t("editor.user")}
            description={t("editor.userHint")}
            value={draft.userId}
            onChange={(event) => change({ userId: event.currentTarget.value }, "user_id")}
            error={message("user_id")}
            disabled={session?.user_id != null}
            required
          />
          <Checkbox.Group
            label={t("editor.interfaces")}
            description={t("editor.interfacesHint")}
            value={draft.interfaces}
            onChange={(value) => change({ interfaces: value as Interface[] }, "type_instance")}
            error={message("type_instance")}
            required
          >
            <Group mt={8}>
              {INTERFACES.map((each) => (
                <Checkbox key={each} value={each} label={t(`interface.${each}`)} />
              ))}
            </Group>
          </Checkbox.Group>
          <Switch
            label={t("editor.start")}
            checked={draft.start}
            onChange={(event) => change({ start: event.currentTarget.checked }, "start")}
          />
          <Switch
            label={t("editor.container")}
            description={t("editor.containerHint")}
            checked={draft.isContained}
            onChange={(event) => change({ isContained: event.currentTarget.checked }, "isolation")}
          />
        </>
      )}
    </>
  );
}
