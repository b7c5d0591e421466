import { Badge, Box, Button, Container, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { accessToken } from "../api/token";
import { healthQuery } from "../api/queries";
import { Icon, type IconName } from "../ui/Icon";
import { useIsOperatorOfAll, useMay, useSession } from "../ui/session";
import { Alerts } from "./Alerts";
import { LanguageMenu } from "./LanguageMenu";
import { LinkBanner } from "./LinkBanner";
import { SchemeToggle } from "./SchemeToggle";
import classes from "./Shell.module.css";

export function Shell() {
  const { t } = useTranslation();
  return (
    <>
      <a href="#main" className="skip">
        {t("shell.skip")}
      </a>
      <header className={classes.header}>
        <Container size="xl" className={classes.bar}>
          <Group gap="xs" wrap="nowrap">
            <img src="/mim.svg" alt="" width={26} height={26} />
            <Text fw={700}>mim</Text>
          </Group>
          <Navigation />
          <Group gap="xs" wrap="nowrap">
            <Sandbox />
            <LanguageMenu />
            <SchemeToggle />
            <SignOut />
          </Group>
        </Container>
      </header>
      <Container size="xl" component="main" id="main" tabIndex={-1} className={classes.main}>
        <RoleNote />
        <Outlet />
      </Container>
      <LinkBanner />
      <Alerts />
    </>
  );
}

function Navigation() {
  const { t } = useTranslation();
  const may = useMay();
  const all = useIsOperatorOfAll();
  return (
    <Box component="nav" aria-label={t("shell.navigation")} className={classes.nav}>
      <Item to="/" icon="instances" label={t("shell.instances")} />
      <Item to="/providers" icon="providers" label={t("shell.providers")} />
      {all && <Item to="/system" icon="system" label={t("shell.system")} />}
      {all && may("admin") && <Item to="/access" icon="access" label={t("shell.access")} />}
    </Box>
  );
}

type ItemProps = { to: "/" | "/providers" | "/system" | "/access"; icon: IconName; label: string };

function Item({ to, icon, label }: ItemProps) {
  return (
    <Link to={to} className={classes.item} activeOptions={{ exact: to === "/", includeSearch: false }}>
      <Icon name={icon} />
      <span>{label}</span>
    </Link>
  );
}

/** Says once why buttons are off. */
function RoleNote() {
  const { t } = useTranslation();
  const session = useSession();
  if (!session || session.role === "admin") return null;
  return (
    <Text size="sm" c="dimmed" mb="sm" role="note">
      {t("role.note", { role: t(`role.${session.role}`) })}
    </Text>
  );
}

function Sandbox() {
  const { t } = useTranslation();
  const { data } = useQuery({ ...healthQuery(), refetchInterval: false });
  if (!data?.sandbox) return null;
  return (
    <Badge variant="outline" color="gray" title={t("shell.sandboxHint")}>
      {t("shell.sandbox")}
    </Badge>
  );
}

function SignOut() {
  const { t } = useTranslation();
  const session = useSession();
  if (!session?.needs_token) return null;
  return (
    <Button
      size="compact-sm"
      variant="default"
      h={30}
      onClick={accessToken.clear}
      title={session.name}
      aria-label={t("shell.signOut")}
    >
      <Icon name="logout" />
    </Button>
  );
}
