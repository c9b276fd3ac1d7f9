import { DurableObject } from "cloudflare:workers";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Batch, KnownRow, PublishedTable, Run } from "../../shared/ports/registry.ts";
import type { Filter } from "../../shared/ports/vector-index.ts";
import type { ShardApi, ShardPublished, ShardQuery } from "../tenant/api.ts";
import { coded } from "../tenant/rpc.ts";
import { countVectors, loadVectors } from "./blocks.ts";
import { confirmHits, confirmRows, resolveIds } from "./evidence.ts";
import { makeKernel } from "./kernel.ts";
import { makeKnown, type Known } from "./known.ts";
import { eraseRow, publishStaged, rollBack, servedBases, type Flipped } from "./publish.ts";
import { countOf, createShardSchema, readMeta, writeMeta } from "./schema.ts";
import { namedHits, searchChunks } from "./search.ts";
import { knownRows, prepareRows, stageBatch } from "./stage.ts";
import { makeVectorMemory, type VectorMemory } from "./vectors.ts";

/** Dropped vectors may waste this share of the memory before it is loaded anew. */
const MAX_WASTE = 0.25;
const MAX_KNOWN = 10_000;
const MAX_TOP_K = 1000;
/** Hits looked up and confirmed at a time. */
const MIN_PAGE = 24;

/** Rows and the embedded index of one space: the registry's last word, and the search beside it. */
export class Shard extends DurableObject implements ShardApi {
  readonly #sql: SqlStorage;
  /** Read from storage by the first search after a start; followed up by whatever changes vectors. */
  #vectors: VectorMemory | undefined;
  /** Made by the first question after a change. */
  #known: Known | undefined;

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    createShardSchema(this.#sql);
  }

  stage(run: Run, batch: Batch): Promise<void> {
    return coded(() => this.#stage(run, batch));
  }

  stageEncoded(bytes: Uint8Array): Promise<void> {
    return coded(async () => {
      // Its schemas are made when the first batch comes: an object that only answers needs none.
      const { decodeBatch } = await import("../../shared/batch.ts");
      const { run, batch } = decodeBatch(bytes);
      this.#stage(run, batch);
    });
  }

  #stage(run: Run, batch: Batch): void {
    const prepared = prepareRows(batch);
    const now = new Date().toISOString();
    const staged = this.#atomically(() => stageBatch(this.#sql, run, batch, prepared, now));
    this.#vectors?.drop(staged.dropped);
    this.#vectors?.add(staged.slots, staged.bytes, staged.scales);
  }

  known(
    table: string,
    after: { readonly row: string; readonly view: string } | undefined,
    limit: number,
  ): Promise<readonly KnownRow[]> {
    return coded(() => knownRows(this.#sql, table, after, clamp(limit, MAX_KNOWN)));
  }

  bases(): ReturnType<ShardApi["bases"]> {
    return coded(() => servedBases(this.#sql));
  }

  publish(run: Run, tables: readonly PublishedTable[], epoch: number): Promise<ShardPublished> {
    return coded(() => this.#flip(() => publishStaged(this.#sql, run, tables, epoch)));
  }

  rollBack(run: Run, to: number, epoch: number): Promise<ShardPublished> {
    return coded(() => this.#flip(() => rollBack(this.#sql, run, to, epoch)));
  }

  #flip(change: () => Flipped): ShardPublished {
    const flipped = this.#atomically(change);
    this.#vectors?.setLive(flipped.hidden, false);
    this.#vectors?.setLive(flipped.shown, true);
    this.#vectors?.drop(flipped.dropped);
    if (this.#vectors && this.#vectors.dropped > this.#vectors.size * MAX_WASTE) this.#vectors = undefined;
    return flipped.published;
  }

  query(query: ShardQuery): Promise<{ readonly evidence: readonly Evidence[]; readonly epoch: number }> {
    return coded(() => {
      const topK = clamp(query.topK, MAX_TOP_K);
      const known = this.#read();
      const ranked = searchChunks(this.#sql, known, { ...query, topK }, () => this.#loaded());
      const pages = namedHits(known, ranked, Math.max(MIN_PAGE, topK));
      return { evidence: confirmHits(known, pages, query.filter, topK), epoch: known.meta().epoch };
    });
  }

  recheck(
    hits: readonly { readonly id: string; readonly score: number }[],
    filter: Filter,
  ): Promise<{ readonly evidence: readonly Evidence[]; readonly epoch: number }> {
    return coded(() => {
      const known = this.#read();
      const found = resolveIds(this.#sql, known, hits);
      return { evidence: confirmHits(known, [found], filter, hits.length), epoch: known.meta().epoch };
    });
  }

  holds(
    epoch: number,
    rows: readonly (readonly [string, string])[],
    classes: readonly string[],
  ): Promise<boolean> {
    return coded(() => confirmRows(this.#read(), epoch, rows, classes));
  }

  erase(
    row: string,
    epoch: number,
  ): Promise<{ readonly rows: number; readonly chunks: number; readonly residue: number }> {
    return coded(() => {
      const { dropped, ...erased } = this.#atomically(() => eraseRow(this.#sql, row, epoch));
      this.#vectors?.drop(dropped);
      return erased;
    });
  }

  clear(): Promise<void> {
    return coded(async () => {
      this.#vectors = undefined;
      const deleted = this.ctx.storage.deleteAll();
      this.#known = undefined;
      await deleted;
      this.#atomically(() => createShardSchema(this.#sql));
    });
  }

  setEpoch(epoch: number): Promise<void> {
    return coded(() =>
      this.#atomically(() => writeMeta(this.#sql, { epoch: Math.max(epoch, readMeta(this.#sql).epoch) })),
    );
  }

  stats(): ReturnType<ShardApi["stats"]> {
    return coded(() => ({
      rows: countOf(this.#sql, "SELECT count(*) AS n FROM rec"),
      chunks: countOf(this.#sql, "SELECT count(*) AS n FROM entry"),
      vectors: countVectors(this.#sql),
      sizeBytes: this.#sql.databaseSize,
    }));
  }

  /**
   * The one way to write what questions read: all of it or nothing. Vectors in memory are followed up only after, so they never show what was rolled
   * back; what was read is forgotten, however it ends.
   */
  #atomically<T>(change: () => T): T {
    try {
      return this.ctx.storage.transactionSync(change);
    } finally {
      this.#known = undefined;
    }
  }

  /** Ask for it anew in every method: what is held longer may have been written over. */
  #read(): Known {
    return (this.#known ??= makeKnown(this.#sql));
  }

  #loaded(): VectorMemory {
    if (this.#vectors) return this.#vectors;
    const { dimensions } = readMeta(this.#sql);
    const memory = makeVectorMemory(makeKernel(), dimensions);
    loadVectors(this.#sql, dimensions, memory);
    this.#vectors = memory;
    return memory;
  }
}

function clamp(value: number, most: number): number {
  if (!Number.isInteger(value) || value < 1) {
    throw new QuaysideError("invalid_request", `Ask for 1 to ${most} at a time.`);
  }
  return Math.min(value, most);
}
