import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { slimSdks } from "../workers/build-slim.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The SDKs as the Worker's build leaves them: what it leaves out too much of fails a contract suite. */
const sdks = fileURLToPath(new URL("../node_modules/.cache/slim-sdks/", import.meta.url));
await build({
  input: {
    openai: `${root}shared/openai-sdk.ts`,
    anthropic: `${root}workers/providers/anthropic-sdk.ts`,
    pinecone: `${root}shared/indexes/pinecone-sdk.ts`,
    hono: `${root}node_modules/hono/dist/hono-base.js`,
  },
  platform: "node",
  plugins: [slimSdks()],
  output: { dir: sdks, format: "esm", entryFileNames: "[name].mjs" },
});

/** How long a test looks for what is on its way: a busy machine takes its time, and it costs nothing where all is well. */
const POLLING = { expect: { poll: { timeout: 30_000 } } };
/** Long enough for a machine that is busy with more than these tests: what has to be fast says so itself. */
const PATIENCE = { testTimeout: 60_000, hookTimeout: 120_000, ...POLLING };

const DEFAULT_TENANT = [
  "admin",
  "answers",
  "app",
  "http",
  "identity",
  "registry",
  "round-trips",
  "runner",
  "runner-erasure",
  "runs",
].map((name) => `test/workerd/${name}.test.ts`);

function workerd(test: TestProjectInlineConfiguration["test"]): TestProjectInlineConfiguration {
  return {
    plugins: [
      cloudflareTest({
        // The sources, not the build that wrangler.toml names: demo mode is on here.
        main: "workers/main.ts",
        wrangler: { configPath: "wrangler.toml" },
        miniflare: {
          bindings: {
            QUAYSIDE_TOKEN: "test-token",
            SERVICENOW_BASE_URL: "https://servicenow.example.com",
            SERVICENOW_TOKEN: "servicenow-token",
          },
        },
      }),
    ],
    define: { QUAYSIDE_DEMO: "true", QUAYSIDE_CODE: '"test"' },
    test: { root, include: ["test/workerd/**/*.test.ts"], ...PATIENCE, ...test },
  };
}

/**
 * node: pure functions and contract suites in Node. workerd: Durable Objects, KV and the app inside the real runtime.
 * e2e: the built Worker and the CLI as black boxes. browser: the pages in real Chromium. data: hostile and quality sets
 * from QUAYSIDE_DATA. deep: kill runs and large tables, by `npm run test:deep` only.
 */
export default defineConfig({
  test: {
    // One a core, where the default leaves a core idle: of two that is half.
    maxWorkers: "100%",
    teardownTimeout: 60_000,
    projects: [
      {
        test: {
          name: "node",
          root,
          alias: [
            { find: /^.*\/openai-sdk\.ts$/, replacement: `${sdks}openai.mjs` },
            { find: /^.*\/anthropic-sdk\.ts$/, replacement: `${sdks}anthropic.mjs` },
            { find: /^.*\/pinecone-sdk\.ts$/, replacement: `${sdks}pinecone.mjs` },
            { find: /^hono\/hono-base$/, replacement: `${sdks}hono.mjs` },
          ],
          include: ["test/unit/**/*.test.ts", "test/contract/**/*.test.ts"],
          environment: "node",
          // No file leaves anything behind that another would meet; loading all modules again for each is half of the time.
          isolate: false,
          ...PATIENCE,
        },
      },
      // One isolate for all files: each has tenants of its own in it …
      workerd({ name: "workerd", exclude: DEFAULT_TENANT, isolate: false }),
      // … but these are about the deployment's own tenant, which each finds new.
      workerd({ name: "workerd-default", include: DEFAULT_TENANT }),
      {
        test: {
          name: "e2e",
          root,
          include: ["test/e2e/**/*.test.ts", "test/browser/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 240_000,
          ...POLLING,
        },
      },
      {
        test: {
          name: "data",
          root,
          include: ["test/data/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 240_000,
          ...POLLING,
        },
      },
      {
        test: {
          name: "deep",
          root,
          include: ["test/deep/**/*.test.ts"],
          testTimeout: 900_000,
          hookTimeout: 240_000,
          ...POLLING,
        },
      },
    ],
  },
});
