import { Alert, Button, Group, NativeSelect, NumberInput, Paper, Stack, Table, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { messengerAPI, ok } from "../api/messengerAPI";
import { ROLES, type Role } from "../api/types";
import { problemWith } from "../editor/rules";
import { ConfirmButton } from "../ui/ConfirmButton";
import { CopyField } from "../ui/CopyField";
import { Empty } from "../ui/Empty";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useAct } from "../ui/useAct";
import { When } from "../ui/When";
import { Wide } from "../ui/Wide";

const KEY = ["tokens"];

export function Tokens() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { act } = useAct();
  const { data, error, refetch } = useQuery({
    queryKey: KEY,
    queryFn: async ({ signal }) => (await ok(messengerAPI.GET("/api/v1/tokens", { signal }))).data,
    staleTime: 0,
  });
  if (error) return <ProblemAlert error={error} onRetry={() => void refetch()} />;

  async function revoke(id: string): Promise<void> {
    await act("revoke", () => messengerAPI.DELETE("/api/v1/tokens/{token_id}", { params: { path: { token_id: id } } }));
    await queries.invalidateQueries({ queryKey: KEY });
  }

  return (
    <Stack>
      <NewToken onMade={() => void refetch()} />
      {data?.length === 0 && <Empty title={t("access.none")} hint={t("access.noneHint")} />}
      <Wide label={t("access.tokens")}>
        <Table verticalSpacing={6} miw={620}>
          <Table.Tbody>
            {data?.map((token) => (
              <Table.Tr key={token.id}>
                <Table.Td fw={600}>{token.name}</Table.Td>
                <Table.Td>{t(`role.${token.role}`)}</Table.Td>
                <Table.Td>{token.user_id ?? t("access.everybody")}</Table.Td>
                <Table.Td>
                  {token.expires_at ? <When at={token.expires_at} /> : t("access.forever")}
                </Table.Td>
                <Table.Td ta="right">
                  <ConfirmButton
                    label={t("access.revoke")}
                    title={t("access.revokeTitle", { name: token.name })}
                    consequence={t("access.revokeHint")}
                    onConfirm={() => revoke(token.id)}
                  />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Wide>
    </Stack>
  );
}

function NewToken({ onMade }: { onMade: () => void }) {
  const { t } = useTranslation();
  const { act, busy } = useAct();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("operator");
  const [user, setUser] = useState("");
  const [days, setDays] = useState<number | string>("");
  const [made, setMade] = useState<string | null>(null);
  const isWrong = problemWith("CreateTokenBody", "name", name.trim()) !== null;

  async function create(event: FormEvent): Promise<void> {
    event.preventDefault();
    await act("create", async () => {
      const expires = typeof days === "number" ? { expires_in_days: days } : {};
      const body = { name: name.trim(), role, ...(user.trim() && { user_id: user.trim() }), ...expires };
      setMade((await ok(messengerAPI.POST("/api/v1/tokens", { body }))).token);
      setName("");
      onMade();
    });
  }

  return (
    <Paper withBorder p="md" radius="md">
      <form onSubmit={(event) => void create(event)}>
        <Group align="end" gap="sm">
          <TextInput label={t("access.name")} value={name} onChange={(e) => setName(e.currentTarget.value)} required />
          <NativeSelect
            label={t("access.role")}
            value={role}
            onChange={(event) => setRole(event.currentTarget.value as Role)}
            data={ROLES.map((value) => ({ value, label: t(`role.${value}`) }))}
          />
          <TextInput label={t("access.user")} value={user} onChange={(event) => setUser(event.currentTarget.value)} />
          <NumberInput label={t("access.days")} value={days} onChange={setDays} min={1} max={3650} w={130} hideControls />
          <Button type="submit" loading={busy !== null} disabled={isWrong}>
            {t("access.create")}
          </Button>
        </Group>
        {made && (
          <Alert color="teal" mt="md" title={t("access.made")} role="status">
            <CopyField label={t("login.token")} value={made} />
          </Alert>
        )}
      </form>
    </Paper>
  );
}
