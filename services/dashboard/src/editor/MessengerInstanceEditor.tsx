import { Alert, Anchor, Button, Group, Paper, Skeleton, Stack, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useRef, useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { asProblem } from "../api/problem";
import { instanceQuery, providersQuery } from "../api/queries";
import { newKey } from "../api/send";
import type { Instance, ProviderField, ProviderItem } from "../api/types";
import { useInstanceActions } from "../api/useInstanceActions";
import { titleOf } from "../instances/view";
import { Empty } from "../ui/Empty";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useDenied, useSession } from "../ui/session";
import { useMessengerProvider } from "../useMessengerProvider";
import { createBody, draftOf, newDraft, presentFields, updateBody, wrongs, type Draft } from "./draft";
import { GeneralFields } from "./GeneralFields";
import { ProviderChoice } from "./ProviderChoice";
import { ProviderFields } from "./ProviderFields";
import { WebhookFields } from "./WebhookFields";

export function CreatePage() {
  const { data, error, refetch } = useQuery(providersQuery());
  const denied = useDenied()("admin");
  const { t } = useTranslation();
  if (denied) return <Empty level={1} title={t("editor.create")} hint={denied} />;
  if (error) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton h={420} />;
  return <MessengerInstanceEditor providers={data} instance={null} />;
}

export function EditPage() {
  const { id } = useParams({ from: "/instances/$id/edit" });
  const providers = useQuery(providersQuery());
  const instance = useQuery(instanceQuery(id));
  const error = providers.error ?? instance.error;
  const denied = useDenied()("admin");
  const { t } = useTranslation();
  if (denied) return <Empty level={1} title={t("action.edit")} hint={denied} />;
  if (error) return <ProblemAlert error={error} />;
  if (!providers.data || !instance.data) return <Skeleton h={420} />;
  return <MessengerInstanceEditor key={id} providers={providers.data} instance={instance.data} />;
}

type Props = { providers: ProviderItem[]; instance: Instance | null };

/** Creates or changes an instance. What is asked for comes from the provider's own description. */
export function MessengerInstanceEditor({ providers, instance }: Props) {
  const { t } = useTranslation();
  const isNew = instance === null;
  const session = useSession();
  const first = providers[0]?.description.id ?? "whatsappweb";
  const [draft, setDraft] = useState<Draft>(() =>
    instance ? draftOf(instance) : { ...newDraft(first), userId: session?.user_id ?? "" },
  );
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());
  const provider = providers.find((each) => each.description.id === draft.provider);
  const fields = presentFields(provider?.description.fields ?? [], draft, instance);
  const { save, busy, error } = useSave(draft, fields, instance);
  const wrong = wrongs(draft, fields, isNew);
  const refused = new Map((error?.details ?? []).map((each) => [each.field.split(".").at(-1) ?? "", each.problem]));

  function change(part: Partial<Draft>, field: string): void {
    setDraft((before) => ({ ...before, ...part }));
    setTouched((before) => new Set(before).add(field));
  }

  function message(field: string): string | null {
    const found = wrong[field];
    if (!found) return refused.get(field) ?? null;
    if (!touched.has(field)) return null;
    return found.kind === "long" ? t("wrong.long", { count: found.most }) : t(`wrong.${found.kind}`);
  }

  function submit(event: FormEvent): void {
    event.preventDefault();
    setTouched(new Set(Object.keys(wrong)));
    if (Object.keys(wrong).length === 0) void save();
  }

  const form = { draft, change, message };
  return (
    <form onSubmit={submit} noValidate>
      <Stack maw={760}>
        <Title order={1} size="h3">
          {isNew ? t("editor.create") : t("editor.edit", { name: titleOf(instance) })}
        </Title>
        {isNew && <ProviderChoice providers={providers} {...form} />}
        {provider?.workers === 0 && <Alert color="orange">{t("editor.noWorkers")}</Alert>}
        <Paper withBorder p="lg" radius="md">
          <Stack>
            <GeneralFields isNew={isNew} {...form} />
            <ProviderFields fields={fields} instance={instance} {...form} />
          </Stack>
        </Paper>
        <WebhookFields instance={instance} {...form} />
        {error && <ProblemAlert error={error} onRetry={() => void save()} />}
        <Group>
          <Button type="submit" loading={busy} disabled={Object.keys(wrong).some((field) => touched.has(field))}>
            {isNew ? t("editor.submitCreate") : t("editor.submitEdit")}
          </Button>
          <Anchor
            size="sm"
            renderRoot={(props) =>
              instance ? (
                <Link to="/instances/$id" params={{ id: instance.id }} {...props} />
              ) : (
                <Link to="/" {...props} />
              )
            }
          >
            {t("action.cancel")}
          </Anchor>
        </Group>
      </Stack>
    </form>
  );
}

/** The same key as long as nothing was changed: to try again creates nothing twice. */
function useSave(draft: Draft, fields: readonly ProviderField[], instance: Instance | null) {
  const navigate = useNavigate();
  const { createInstance } = useMessengerProvider();
  const { update } = useInstanceActions();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const key = useRef({ draft, value: newKey() });
  if (key.current.draft !== draft) key.current = { draft, value: newKey() };

  async function save(): Promise<void> {
    setBusy(true);
    setFailure(null);
    try {
      const id = await run();
      await navigate({ to: "/instances/$id", params: { id }, search: instance ? {} : { tab: "login" } });
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  }

  async function run(): Promise<string> {
    if (!instance) return (await createInstance({ body: createBody(draft, fields), key: key.current.value })).instance_id;
    const body = updateBody(draft, instance, fields);
    if (Object.keys(body).length > 0) await update(instance.id, body);
    return instance.id;
  }

  return { save, busy, error: failure === null ? null : asProblem(failure) };
}
