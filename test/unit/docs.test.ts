import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runCommandLine } from "../../ingest/command-line.ts";
import { DEFAULT_LIMITS } from "../../shared/config-limits.ts";
import { parseConfig } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { PROBLEMS } from "../../workers/problem.ts";
import { adminSurface } from "../../workers/surfaces/admin.ts";
import { answersSurface } from "../../workers/surfaces/answers.ts";
import { budgetsSurface } from "../../workers/surfaces/budgets.ts";
import { compareSurface } from "../../workers/surfaces/compare.ts";
import { demoSurface } from "../../workers/surfaces/demo.ts";
import { auditSurface } from "../../workers/surfaces/audit.ts";
import { httpSurface } from "../../workers/surfaces/http.ts";
import { keysSurface } from "../../workers/surfaces/keys.ts";
import { mcpSurface } from "../../workers/surfaces/mcp.ts";
import { openaiSurface } from "../../workers/surfaces/openai.ts";
import { metricsSurface } from "../../workers/surfaces/metrics.ts";
import { verifySurface } from "../../workers/surfaces/verify.ts";
import { openapi } from "../../workers/surfaces/openapi.ts";
import { slackSurface } from "../../workers/surfaces/slack.ts";
import { widgetTokensSurface } from "../../workers/surfaces/widget-tokens.ts";
import { rowsSurface } from "../../workers/surfaces/rows.ts";
import { runsSurface } from "../../workers/surfaces/runs.ts";
import { teamsSurface } from "../../workers/surfaces/teams-route.ts";
import { webhooksSurface } from "../../workers/surfaces/webhooks.ts";

/** What the documents say that a machine can check. */

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Page {
  /** From the root. */
  readonly path: string;
  readonly text: string;
  /** Without code blocks. */
  readonly prose: string;
}

const PAGES: readonly Page[] = ["README.md", ...markdownIn("docs")]
  .filter((path) => existsSync(join(root, path)))
  .map((path) => {
    const text = readFileSync(join(root, path), "utf8");
    return { path, text, prose: text.replace(/^```[\s\S]*?^```/gm, "") };
  });

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => join(folder, path))
    .sort();
}

function page(path: string): Page {
  const found = PAGES.find((candidate) => candidate.path === path);
  if (!found) throw new Error(`${path} is missing`);
  return found;
}

/** Every first group of a pattern, each once. */
function all(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map((match) => match[1] ?? ""))];
}

/** The cells of every table row of a page, without the pipes. */
function cellsOf({ prose }: Page): readonly (readonly string[])[] {
  return prose
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}

/** The anchors that a page's headings make, as GitHub makes them. */
function anchorsOf({ prose }: Page): readonly string[] {
  return all(prose, /^#+ (.+)$/gm).map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Where a link of a page leads that leads nowhere; undefined for one that arrives. */
function broken(from: Page, link: string): string | undefined {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? from.path : relative(root, join(root, dirname(from.path), path));
  if (!existsSync(join(root, target))) return link;
  if (anchor === undefined) return undefined;
  const other = PAGES.find((candidate) => candidate.path === target);
  return other && anchorsOf(other).includes(anchor) ? undefined : link;
}

describe.each(PAGES.map((one) => [one.path, one] as const))("%s", (_, one) => {
  it("has no link that leads nowhere", () => {
    const links = all(one.prose, /\]\(([^)\s]+)\)/g).filter((link) => !/^[a-z]+:/.test(link));
    expect(links.flatMap((link) => broken(one, link) ?? [])).toEqual([]);
  });

  it("names no script that does not exist", () => {
    const manifest: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(
      readFileSync(join(root, "package.json"), "utf8"),
    );
    const named = all(one.text, /npm run (?:-s )?([a-z][a-z:-]*)/g);
    expect(named.filter((script) => !Object.hasOwn(manifest.scripts, script))).toEqual([]);
  });

  it("names no command that does not exist", async () => {
    const commands = await commandNames();
    const named = [
      ...all(one.text, /quayside -- ([a-z]+)/g),
      ...all(one.text, /`quayside ([a-z]+)/g),
      ...all(one.text, /^#+ quayside ([a-z]+)/gm),
    ];
    expect(named.filter((command) => !commands.includes(command))).toEqual([]);
  });

  it("names no test that does not exist", () => {
    const named = all(one.prose, /`(test\/[a-z0-9/.-]+\.ts)`/g);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

const nowhere = (): void => undefined;

async function commandNames(): Promise<readonly string[]> {
  const lines: string[] = [];
  await runCommandLine(["--help"], {
    version: "",
    line: (text) => void lines.push(text),
    terminal: () => ({
      print: nowhere,
      note: nowhere,
      progress: nowhere,
      warn: nowhere,
      interactive: false,
      live: false,
    }),
    context: () => {
      throw new Error("help needs no context");
    },
  });
  return all(lines.join("\n"), /^ {2}([a-z]+) {2,}/gm);
}

describe("docs/cli.md", () => {
  it("has a section for each command", async () => {
    const sections = all(page("docs/cli.md").prose, /^## quayside ([a-z]+)$/gm);
    expect(sections.sort()).toEqual([...(await commandNames())].sort());
  });
});

const VALID = {
  name: "x",
  sources: { s: { kind: "duckdb" } },
  tables: { t: { source: "s", key: ["id"], classification: "internal", access: { allowAny: ["public"] } } },
};

/** The rules that a configuration breaks once a key is set to something that no key takes. */
function rulesWith(key: string): readonly string[] {
  const config: Record<string, unknown> = structuredClone(VALID);
  const parts = key.replaceAll("[]", ".[]").split(".");
  let at: Record<string, unknown> | unknown[] = config;
  for (const [i, raw] of parts.entries()) {
    const part = raw
      .replace(/^<table>$/, "t")
      .replace(/^<source>$/, "s")
      .replace(/^<.*>$/, "a");
    const last = i === parts.length - 1;
    const next: Record<string, unknown> | unknown[] = parts[i + 1] === "[]" ? [] : {};
    if (Array.isArray(at)) {
      at.push(next);
      at = next;
    } else if (last) at[part] = Symbol.iterator;
    else {
      const present: unknown = at[part];
      const open = typeof present === "object" && present !== null && !Array.isArray(present);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object, as just seen
      const child = open ? (present as Record<string, unknown>) : next;
      at[part] = child;
      at = child;
    }
  }
  try {
    parseConfig(config);
    return [];
  } catch (error) {
    if (!(error instanceof QuaysideError)) throw error;
    return error.violations.map(({ rule }) => rule);
  }
}

describe("docs/configuration.md", () => {
  const keys = cellsOf(page("docs/configuration.md")).flatMap(
    ([first = ""]) => /^`([a-z][A-Za-z]*(?:[.[].*)?)`(?: \\\*)?$/.exec(first)?.[1] ?? [],
  );
  const rules = ["allowAny", "allowAll", "deny"];

  it("shows keys that exist, and only these", () => {
    expect(rulesWith("tables.<table>.nonsense")).toContain('Unrecognized key: "nonsense"');
    const unknown = keys
      .filter((key) => !rules.includes(key))
      .filter((key) => rulesWith(key).some((rule) => rule.startsWith("Unrecognized key")));
    expect(unknown).toEqual([]);
  });

  it("shows every key of the schema", () => {
    const source = readFileSync(join(root, "shared/config.ts"), "utf8");
    const schema = source.slice(0, source.indexOf("export type Config")).replace(/\/\*\*[\s\S]*?\*\//g, "");
    const own = all(schema, /(?<=[{,]\s*)([a-z][A-Za-z]*)(?=,\n|: (?:z\.|[a-z]+[,\n(]))/g);
    const text = page("docs/configuration.md").text;
    expect(own.length).toBeGreaterThan(70);
    expect(own.filter((key) => !new RegExp(`\\b${key}\\b`).test(text))).toEqual([]);
  });

  it("gives every limit its default", () => {
    const shown = cellsOf(page("docs/configuration.md")).flatMap(([key = "", preset = ""]) => {
      const limit = /^`limits\.([A-Za-z]+)`$/.exec(key)?.[1];
      return limit === undefined ? [] : [[limit, Number(preset)] as const];
    });
    expect(Object.fromEntries(shown)).toEqual(DEFAULT_LIMITS);
  });
});

describe("docs/http-api.md", () => {
  it("has every problem code with its status and whether to try again", () => {
    const shown = cellsOf(page("docs/http-api.md")).flatMap(
      ([code = "", status = "", retryable = "", title]) =>
        /^\d{3}$/.test(status)
          ? [[code.replaceAll("`", ""), [Number(status), retryable === "yes", title]]]
          : [],
    );
    expect(Object.fromEntries(shown)).toEqual(
      Object.fromEntries(
        Object.entries(PROBLEMS).map(([code, { status, retryable, title }]) => [
          code,
          [status, retryable, title],
        ]),
      ),
    );
  });

  it("has the routes of the OpenAPI document, with their scopes", () => {
    const shown = cellsOf(page("docs/http-api.md")).flatMap(([route = "", scope = ""]) => {
      const named = /^`((?:GET|POST|PUT|DELETE) \/[^` ]*)`$/.exec(route)?.[1];
      return named === undefined ? [] : [`${named} ${scope.replaceAll("`", "").replace("a caller", "ask")}`];
    });
    expect(shown.sort()).toEqual(routes().sort());
  });
});

const never = (): never => {
  throw new Error("no route is called");
};

const NO_RUNS = {
  trigger: never,
  tick: never,
  next: never,
  run: never,
  list: never,
  cancel: never,
  refuse: never,
};

/** `POST /v1/erase erase` of every documented route. */
function routes(): string[] {
  const asked = {
    principal: never,
    revocation: never,
    admit: never,
    limiter: { enter: never },
    ask: never,
    retrieve: never,
    builtIn: [],
    whyNot: never,
    host: { log: never, now: never },
  };
  const surfaces = [
    httpSurface({ ...asked, ready: never }),
    openaiSurface(asked),
    mcpSurface({ ...asked, readRows: never, issuers: [] }),
    adminSurface({ principal: never, registry: never }),
    auditSurface({ principal: never, ledger: never }),
    verifySurface({
      principal: never,
      revocation: never,
      admit: never,
      limiter: { enter: never },
      retrieve: never,
      recheck: never,
    }),
    metricsSurface({ principal: never, ledger: never }),
    budgetsSurface({ principal: never, ledger: never }),
    compareSurface({
      principal: never,
      revocation: never,
      admit: never,
      limiter: { enter: never },
      retrieve: never,
      askFrom: never,
    }),
    answersSurface({
      principal: never,
      revocation: never,
      admit: never,
      limiter: { enter: never },
      askFrom: never,
      recheck: never,
      keys: { questionDigest: never },
      ledger: never,
      sleep: never,
    }),
    keysSurface({
      principal: never,
      keys: { addKey: never, keys: never, revokeKey: never },
      now: never,
    }),
    widgetTokensSurface({ apiKey: never, mint: never, allowedOrigins: never, now: never }),
    rowsSurface({ ...asked, readRows: never, ledger: never }),
    runsSurface({ principal: never, runs: NO_RUNS }),
    webhooksSurface({
      tenant: "",
      config: never,
      webhook: never,
      runs: NO_RUNS,
      host: { secret: never, now: never },
    }),
    slackSurface({
      host: { fetch, secret: never, now: never, log: never },
      config: never,
      deliver: never,
      answer: never,
    }),
    teamsSurface({
      host: { fetch, secret: never, now: never, log: never },
      take: never,
      answer: never,
    }),
    demoSurface({ config: never }),
  ];
  const document: {
    readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly "x-scope"?: string }>>>>;
  } = JSON.parse(JSON.stringify(openapi(surfaces)));
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) => `${method.toUpperCase()} ${path} ${operation["x-scope"] ?? "–"}`,
    ),
  );
}
