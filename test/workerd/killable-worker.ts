import { env, waitUntil } from "cloudflare:workers";
import type { Env } from "../../workers/env.ts";
import { loadVectors } from "../../workers/index/blocks.ts";
import { NEVER, readMeta } from "../../workers/index/schema.ts";
import { Shard as RealShard } from "../../workers/index/shard.ts";
import type { LedgerApi } from "../../workers/tenant/api.ts";
import { Runner as RealRunner } from "../../workers/runner/runner.ts";
import { shardName } from "../../workers/tenant/registry.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import { makeWorker } from "../../workers/worker.ts";

/**
 * The Worker of the kill tests: the real one, which tells a control server before and after every call of a Durable Object
 * (each of which is one transaction) where it is, so that the server can kill the process there; and a dump of what it holds.
 */

export { Ledger } from "../../workers/tenant/ledger.ts";
export { Thread } from "../../workers/thread/thread.ts";

/** The shard, with its contents as one comparable text: nothing in it tells when or in how many tries it was made. */
export class Shard extends RealShard {
  dump(): string {
    const { sql } = this.ctx.storage;
    const vectors = new Map<number, string>();
    loadVectors(sql, readMeta(sql).dimensions, {
      add: (slots, bytes, scales) => {
        const stride = bytes.length / Math.max(1, slots.length);
        for (const [i, { chunk }] of slots.entries()) {
          vectors.set(chunk, `${scales[i]} ${bytes.subarray(i * stride, (i + 1) * stride).join(" ")}`);
        }
      },
    });
    const lines = sql
      .exec<{ chunk: number | null; [column: string]: SqlStorageValue }>(
        `SELECT t.name AS tbl, r.row, r.view, r.version, c.id AS class, r.title, r.cells, r.url, r.changed_at, r.chunks,
           CASE WHEN w.rec IS NOT NULL THEN 'pending' WHEN r.gen_from > ? THEN 'staged' WHEN r.gen_to = ? THEN 'served' ELSE 'ended' END AS state,
           e.no AS chunk, e.n, e.live, e.french, p.text
         FROM rec r JOIN tbl t ON t.no = r.tbl JOIN class c ON c.no = r.class
           LEFT JOIN entry e ON e.rec = r.no LEFT JOIN passage p ON p.no = e.no
           LEFT JOIN pending w ON w.rec = r.no
         WHERE r.gen_to = ?`,
        readMeta(sql).generation,
        NEVER,
        NEVER,
      )
      .toArray()
      .map(({ chunk, ...line }) => JSON.stringify({ ...line, vector: vectors.get(chunk ?? -1) }));
    const gone = sql
      .exec("SELECT row, view FROM gone")
      .toArray()
      .map((line) => JSON.stringify(line));
    // What hangs on no version would be found by nobody but a search.
    const orphans = sql
      .exec(
        `SELECT (SELECT count(*) FROM entry WHERE rec NOT IN (SELECT no FROM rec)) AS entries,
           (SELECT count(*) FROM passage WHERE no NOT IN (SELECT no FROM entry)) AS passages,
           (SELECT count(*) FROM fts WHERE rowid NOT IN (SELECT no FROM entry)) AS words`,
      )
      .one();
    return [...lines.sort(), ...gone.sort(), JSON.stringify(orphans)].join("\n");
  }
}

interface KillableEnv extends Env {
  readonly CONTROL_URL: string;
  readonly SHARD: DurableObjectNamespace<Shard>;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what killable.ts binds
const bound = env as unknown as KillableEnv;

/** Tells where the Worker is; not answered where it is to die. */
async function at(point: string): Promise<void> {
  await fetch(`${bound.CONTROL_URL}/${point}`);
}

/** A namespace whose objects' calls are told of. */
function told<Space extends object>(namespace: Space, name: string): Space {
  return new Proxy(namespace, {
    get: (target, member) => {
      const own: unknown = Reflect.get(target, member);
      if (typeof own !== "function") return own;
      return (...args: unknown[]) => {
        const made: unknown = Reflect.apply(own, target, args);
        return member === "get" && typeof made === "object" && made !== null ? toldStub(made, name) : made;
      };
    },
  });
}

function toldStub(stub: object, name: string): object {
  return new Proxy(stub, {
    get:
      (target, method) =>
      async (...args: unknown[]) => {
        await at(`before/${name}.${String(method)}`);
        const call: unknown = Reflect.get(target, method);
        if (typeof call !== "function") throw new TypeError(`${name} has no ${String(method)}`);
        const result: unknown = await Reflect.apply(call, target, args);
        await at(`after/${name}.${String(method)}`);
        return result;
      },
  });
}

const toldEnv = { ...bound, LEDGER: told(bound.LEDGER, "ledger"), SHARD: told(bound.SHARD, "shard") };
const worker = makeWorker(toldEnv, waitUntil);

export class Runner extends RealRunner {
  constructor(ctx: DurableObjectState) {
    super(ctx, toldEnv);
  }
}

async function dump(): Promise<string> {
  const ledger = overRpc<LedgerApi>(() => bound.LEDGER.getByName("default"), "registry_unavailable");
  const { space, tables } = await ledger.status();
  const served = tables.map(({ table, rows }) => `${table}: ${rows}`).sort();
  return [...served, await bound.SHARD.getByName(await shardName("default", space, 0)).dump()].join("\n");
}

export default {
  fetch: async (request) =>
    new URL(request.url).pathname === "/__dump" ? new Response(await dump()) : worker.fetch(request),
} satisfies ExportedHandler;
