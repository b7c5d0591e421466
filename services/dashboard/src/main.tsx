import "@mantine/core/styles.css";
import "./app/page.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { newQueryClient } from "./api/queries";
import { App } from "./app/App";
import { startWords } from "./words";

const queries = newQueryClient();
const root = document.getElementById("root");

await startWords().catch((error: unknown) => {
  window.pageFailed?.();
  throw error;
});
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App queries={queries} />
    </StrictMode>,
  );
}
