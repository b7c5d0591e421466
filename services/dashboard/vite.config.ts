import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const gateway = process.env.MIM_URL ?? "http://127.0.0.1:3000";
const paths = ["/api", "/health", "/openapi.json", "/docs", "/asyncapi.json"];

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    // The first with light-dark(): the substitute for older ones does not see a scheme that is chosen by attribute.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    sourcemap: false,
    // The policy of the page allows no script in the page itself.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  server: {
    proxy: Object.fromEntries(paths.map((path) => [path, { target: gateway, changeOrigin: true }])),
  },
});
