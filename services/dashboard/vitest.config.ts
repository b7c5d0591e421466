// Apart from the build's, which is made where the tools for tests are not installed.
import { defineConfig, mergeConfig } from "vitest/config";
import build from "./vite.config";

const page = ["src/**/*.test.tsx", "src/api/*.test.ts"];

export default mergeConfig(
  build,
  defineConfig({
    test: {
      css: false,
      testTimeout: 60_000, // on a busy machine a test may take any time
      projects: [
        {
          extends: true,
          // A page for each file would take half as long again; the setup leaves nothing to the next one.
          test: { name: "page", environment: "jsdom", isolate: false, setupFiles: ["src/test/setup.ts"], include: page },
        },
        {
          extends: true, // pure functions: they need no page, and have nothing that one file could leave to another
          test: { name: "rules", isolate: false, include: ["src/**/*.test.ts"], exclude: page },
        },
      ],
    },
  }),
);
