import { localEmbedder } from "../../shared/embedders/local.ts";
import type { AccessClass, StagedRow } from "../../shared/ports/registry.ts";
import { Shard } from "../../workers/index/shard.ts";
import type { ShardApi } from "../../workers/tenant/api.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";

/** The Worker of the index benchmark: the real shard, filled with made-up rows, asked over HTTP; and a hello beside it. */

/** The shard, with a way to make it forget its memory. */
export class BenchShard extends Shard {
  evict(): void {
    this.ctx.abort("evicted by the benchmark");
  }
}

interface BenchEnv {
  readonly SHARD: DurableObjectNamespace<BenchShard>;
}

const DIMENSIONS = 384;
const CLASSES = 20;
const TABLES = 5;
const VOCABULARY = 20_000;
const BATCH = 250;
const WORDS = 45;

const embedder = localEmbedder({}, { fetch, secret: () => undefined, now: () => 0, log: () => undefined });

/** Park and Miller's generator: the same rows and questions on every machine. */
function random(seed: number): () => number {
  let state = (seed * 48_271 + 1) % 2_147_483_647;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Words by Zipf's law without the 50 commonest, as in prose without stop words: the commonest left is in one row of seven. */
function words(next: () => number, count: number): string {
  return Array.from({ length: count }, () => {
    const rank = Math.floor(50 * (VOCABULARY / 50) ** next());
    return `${"bcdfglmnprst"[rank % 12]}${"aeiou"[rank % 5]}${rank.toString(36)}x`;
  }).join(" ");
}

const classes: readonly AccessClass[] = Array.from({ length: CLASSES }, (_, i) => ({
  id: `class-${i}`,
  label: { allowAny: [["public"]], allowAll: [], deny: [] },
  classification: "internal",
}));

function makeRow(n: number, version: string): StagedRow {
  const next = random(n + 1);
  const vector = Float32Array.from({ length: DIMENSIONS }, () => next() - 0.5);
  const length = Math.hypot(...vector);
  const title = words(next, 4);
  const body = words(next, WORDS);
  return {
    row: `table${n % TABLES}:${n}`,
    view: "all",
    version,
    accessClass: `class-${n % CLASSES}`,
    title,
    cells: [
      { column: "id", value: n },
      { column: "text", value: body },
    ],
    changedAt: undefined,
    url: undefined,
    chunks: [
      {
        n: 0,
        text: `${title}\n${body}`,
        lexical: { title, body, labels: words(next, 3), meta: `table${n % TABLES} id text` },
        vector: vector.map((value) => value / length),
      },
    ],
  };
}

async function stage(shard: ShardApi, from: number, count: number, generation: number): Promise<void> {
  const run = { id: `run-${generation}`, fence: generation, generation, space: "bench" };
  for (let table = 0; table < TABLES; table++) {
    const rows: StagedRow[] = [];
    for (let n = from; n < from + count; n++)
      if (n % TABLES === table) rows.push(makeRow(n, `v${generation}`));
    for (let at = 0; at < rows.length; at += BATCH) {
      // Sequence numbers must differ over all calls of one run.
      const seq = (from + at) * TABLES + table;
      await shard.stage(run, {
        seq,
        table: `table${table}`,
        classes,
        rows: rows.slice(at, at + BATCH),
        gone: [],
      });
    }
  }
}

async function publish(shard: ShardApi, total: number, changed: number, generation: number): Promise<void> {
  const run = { id: `run-${generation}`, fence: generation, generation, space: "bench" };
  await shard.publish(
    run,
    Array.from({ length: TABLES }, (_, table) => {
      const read = Math.floor((total - 1 - table) / TABLES) + 1;
      const own = Math.floor((changed - 1 - table) / TABLES) + 1;
      return {
        counts: {
          table: `table${table}`,
          read,
          added: 0,
          changed: own,
          deleted: 0,
          unchanged: read - own,
          failed: 0,
        },
        asOf: "2026-01-01T00:00:00Z",
        key: ["id"],
        rollup: false,
      };
    }),
    1,
  );
}

async function ask(shard: ShardApi, n: number): Promise<Response> {
  const text = words(random(n + 1_000_003), 6);
  const { vectors } = await embedder.embed([text], "query", AbortSignal.timeout(1000));
  const { evidence } = await shard.query({
    vector: vectors[0] ?? new Float32Array(DIMENSIONS),
    text,
    topK: 16,
    fusionWeight: embedder.fusionWeight,
    filter: { classes: Array.from({ length: CLASSES / 2 }, (_, i) => `class-${i * 2}`), tables: undefined },
  });
  return Response.json({ hits: evidence.length, first: evidence[0]?.id });
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const number = (name: string): number => Number(url.searchParams.get(name) ?? 0);
    const stub = env.SHARD.getByName("bench");
    const shard = overRpc<ShardApi>(() => env.SHARD.getByName("bench"), "index_unavailable");
    switch (url.pathname) {
      case "/hello":
        return new Response("ok");
      case "/stage":
        await stage(shard, number("from"), number("count"), number("generation"));
        return new Response("ok");
      case "/publish":
        await publish(shard, number("total"), number("changed"), number("generation"));
        return new Response("ok");
      case "/evict":
        await stub.evict().catch(() => undefined);
        return new Response("ok");
      case "/stats":
        return Response.json(await shard.stats());
      case "/ask":
        return ask(shard, number("n"));
      default:
        return new Response(null, { status: 404 });
    }
  },
} satisfies ExportedHandler<BenchEnv>;
