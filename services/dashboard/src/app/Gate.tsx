/** Lets in whoever the gateway lets in, and asks everybody else for a token. The address stays: deep links work. */
import { Container } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useSyncExternalStore, type ReactNode } from "react";
import { asProblem } from "../api/problem";
import { sessionQuery } from "../api/queries";
import { accessToken } from "../api/token";
import { PageLoader } from "../ui/PageLoader";
import { ProblemAlert } from "../ui/ProblemAlert";
import { SessionProvider } from "../ui/session";

const LoginPage = lazy(async () => ({ default: (await import("./LoginPage")).LoginPage }));

export function Gate({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const token = useSyncExternalStore(accessToken.subscribe, accessToken.get);
  const session = useQuery(sessionQuery());

  useEffect(
    () =>
      accessToken.subscribe(() => {
        // Another caller sees other things.
        queries.removeQueries({ predicate: (query) => query.queryKey[0] !== "session" });
        void queries.resetQueries({ queryKey: ["session"] });
      }),
    [queries],
  );

  if (session.data) {
    return (
      <SessionProvider key={token} value={session.data}>
        {children}
      </SessionProvider>
    );
  }
  if (session.error && asProblem(session.error).status === 401) {
    return (
      <Suspense>
        <LoginPage />
      </Suspense>
    );
  }
  if (session.error) {
    return (
      <Container size="xs" pt="xl" component="main">
        <ProblemAlert error={session.error} onRetry={() => void session.refetch()} />
      </Container>
    );
  }
  return <PageLoader />;
}
