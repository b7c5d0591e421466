import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { askPort } from "../api/instancePort";
import { messengerAPI } from "../api/messengerAPI";
import type { Instance, StoredMessage } from "../api/types";
import { Icon } from "../ui/Icon";
import { saveFile } from "../ui/saveFile";
import { useAct } from "../ui/useAct";
import { kindOf } from "./chats";

/** The file of a message that came in: the messenger is asked for it only when somebody wants it. */
export function SaveFile({ instance, message }: { instance: Instance; message: StoredMessage }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { act, busy } = useAct();
  const name = message.media?.fileName ?? t(`kind.${kindOf(message.type)}`);

  async function save(): Promise<void> {
    const content = await askPort(queries, instance, new AbortController().signal, ({ params: { path }, ...how }) => {
      const params = { path: { ...path, chat: message.chatId, message: message.id } };
      return messengerAPI.GET("/{port}/api/v1/messages/{chat}/{message}/media", { params, parseAs: "blob", ...how });
    });
    saveFile(content, name);
  }

  return (
    <Button
      size="compact-xs"
      variant="default"
      mt={4}
      loading={busy !== null}
      leftSection={<Icon name="download" size={14} />}
      aria-label={`${t("messages.save")}: ${name}`}
      onClick={() => void act("save", save)}
    >
      {t("messages.save")}
    </Button>
  );
}
