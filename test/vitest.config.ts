import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * node: pure functions and contract suites in Node. workerd: Durable Objects, KV and the app inside the real runtime.
 * e2e: the built Worker and the CLI as black boxes. browser: the pages in real Chromium. data: hostile and quality sets
 * from QUAYSIDE_DATA. deep: kill runs and large tables, by `npm run test:deep` only.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "node",
          root,
          include: ["test/unit/**/*.test.ts", "test/contract/**/*.test.ts"],
          environment: "node",
        },
      },
      {
        plugins: [
          cloudflareTest({
            // The sources, not the build that wrangler.toml names: demo mode is on here.
            main: "workers/main.ts",
            wrangler: { configPath: "wrangler.toml" },
            miniflare: { bindings: { QUAYSIDE_TOKEN: "test-token" } },
          }),
        ],
        define: { QUAYSIDE_DEMO: "true" },
        test: { name: "workerd", root, include: ["test/workerd/**/*.test.ts"] },
      },
      {
        test: {
          name: "e2e",
          root,
          include: ["test/e2e/**/*.test.ts", "test/browser/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "data",
          root,
          include: ["test/data/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "deep",
          root,
          include: ["test/deep/**/*.test.ts"],
          testTimeout: 900_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
