import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configOf, ANYONE } from "../../ingest/commands/eval-config.ts";
import {
  type EvalQuestion,
  readDataSet,
  readJudgments,
  readQuestions,
} from "../../ingest/commands/eval-dataset.ts";
import { ask, overQuestions, search } from "../../ingest/commands/eval-run.ts";
import {
  type AnswerScores,
  type RankingScores,
  scoreAnswers,
  scoreRanking,
} from "../../ingest/commands/eval-score.ts";
import { ingestOnce } from "../../ingest/commands/ingest.ts";
import { nodeHost } from "../../ingest/node-host.ts";
import { runWorker } from "../fakes/run-worker.ts";
import { DATA } from "./hostile.ts";

/**
 * Quality floors, measured through the product: ingest, index, access policy, retrieval, answers. Each stands a little under
 * what was measured, so that it catches a fall and not a wobble. One configuration for all sets.
 */
interface Floor {
  readonly set: string;
  /** Every n-th question is put; 1 for all. */
  readonly every: number;
  readonly ndcg10: number;
  readonly recall10: number;
  /** Answers are checked where this is given. */
  readonly answers?: {
    readonly every: number;
    readonly ok: number;
    readonly wrongAbstain: number;
    readonly madeUp?: number;
    readonly citationPrecision: number;
  };
}

const FLOORS: readonly Floor[] = [
  {
    set: "northwind",
    every: 1,
    ndcg10: 0.78,
    recall10: 0.88,
    answers: { every: 1, ok: 0.66, wrongAbstain: 0.37, madeUp: 0.05, citationPrecision: 0.73 },
  },
  {
    set: "piaf-fr",
    every: 1,
    ndcg10: 0.82,
    recall10: 0.91,
    answers: { every: 4, ok: 0.38, wrongAbstain: 0.3, citationPrecision: 0.55 },
  },
  {
    set: "fetaqa-dev",
    every: 5,
    ndcg10: 0.74,
    recall10: 0.79,
    answers: { every: 5, ok: 0.06, wrongAbstain: 0.47, citationPrecision: 0.4 },
  },
  { set: "stackfaq", every: 4, ndcg10: 0.78, recall10: 0.92 },
  { set: "scifact", every: 4, ndcg10: 0.65, recall10: 0.76 },
];

const silent = (): void => undefined;

interface Measured {
  readonly ranking: RankingScores;
  readonly answers: AnswerScores | undefined;
}

async function measure(floor: Floor): Promise<Measured> {
  const directory = join(DATA, floor.set);
  const data = await readDataSet(directory);
  const all = await readQuestions(join(directory, "questions.jsonl"));
  const judged = await readJudgments(directory, all);
  const { config, warnings } = configOf(data, all, {});
  expect(warnings).toEqual([]);
  const token = "quality-token";
  const signal = AbortSignal.timeout(280_000);
  await using worker = await runWorker({ demo: true, env: { QUAYSIDE_TOKEN: token } });
  const host = nodeHost({});
  await ingestOnce({ config, url: worker.url, token, host, yes: true, signal });
  const target = { url: worker.url, host, signal, anyone: ANYONE };
  const asked = pick(
    all.filter((q) => judged.has(q.id)),
    floor.every,
  );
  const rankings = await overQuestions(asked, (q) => search(target, q, 10), silent);
  const runs = new Map(asked.map((q, i) => [q.id, (rankings[i] ?? []).map((r) => r.document)] as const));
  const wanted = new Set(asked.map((q) => q.id));
  const ranking = scoreRanking(runs, new Map([...judged].filter(([id]) => wanted.has(id))));
  if (!floor.answers) return { ranking, answers: undefined };
  const put = pick(all, floor.answers.every);
  const given = await overQuestions(put, (q) => ask(target, q, "local/compose"), silent);
  return { ranking, answers: scoreAnswers(put, given) };
}

function pick(questions: readonly EvalQuestion[], every: number): readonly EvalQuestion[] {
  return questions.filter((_, i) => i % every === 0);
}

for (const floor of FLOORS) {
  const present = existsSync(join(DATA, floor.set, "questions.jsonl"));
  // oxlint-disable-next-line no-console -- a skip nobody hears of would pass for a pass
  if (!present) console.warn(`skipped: ${join(DATA, floor.set)} is not there; set QUAYSIDE_DATA`);
  describe.skipIf(!present)(`quality: ${floor.set}`, () => {
    it("stays above its floors", async () => {
      const { ranking, answers } = await measure(floor);
      expect(ranking.ndcg10).toBeGreaterThan(floor.ndcg10);
      expect(ranking.recall10).toBeGreaterThan(floor.recall10);
      if (!floor.answers) return;
      expect(answers?.leaks).toBe(0);
      expect(answers?.ok).toBeGreaterThan(floor.answers.ok);
      expect(answers?.wrongAbstain).toBeLessThan(floor.answers.wrongAbstain);
      expect(answers?.citationPrecision).toBeGreaterThan(floor.answers.citationPrecision);
      if (floor.answers.madeUp !== undefined) expect(answers?.madeUp).toBeLessThan(floor.answers.madeUp);
    });
  });
}
