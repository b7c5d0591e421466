import { MantineProvider } from "@mantine/core";
import { QueryClientProvider, type QueryClient } from "@tanstack/react-query";
import { CatchBoundary, RouterProvider, type RouterHistory } from "@tanstack/react-router";
import { useState } from "react";
import { Toasts } from "../ui/Toasts";
import { Gate } from "./Gate";
import { LiveProvider } from "./LiveContext";
import { PageFailed } from "./NotFound";
import { createAppRouter } from "./router";
import { contrasts, theme } from "./theme";

type Props = { queries: QueryClient; history?: RouterHistory };

export function App({ queries, history }: Props) {
  const [router] = useState(() => createAppRouter(history));
  return (
    <MantineProvider theme={theme} cssVariablesResolver={contrasts} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <Toasts />
        <CatchBoundary getResetKey={() => "page"} errorComponent={PageFailed}>
          <Gate>
            <LiveProvider>
              <RouterProvider router={router} />
            </LiveProvider>
          </Gate>
        </CatchBoundary>
      </QueryClientProvider>
    </MantineProvider>
  );
}
