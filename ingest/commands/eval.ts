import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { secretNames, startWorker } from "../worker-process.ts";
import { type Command, type Context, type ExitStatus, string, strings } from "./command.ts";
import { ANYONE, configOf } from "./eval-config.ts";
import { type EvalQuestion, readDataSet, readJudgments, readQuestions } from "./eval-dataset.ts";
import { type AnswerCosts, costsOf, type Worse, worseThan } from "./eval-gate.ts";
import { ask, overQuestions, search, type Target, trecLines } from "./eval-run.ts";
import { type AnswerScores, type EvalAnswer, scoreAnswers, scoreRanking } from "./eval-score.ts";
import { ingestOnce } from "./ingest.ts";
import { makeProgressLine } from "./progress.ts";
import { money, table } from "./text.ts";

const DEFAULT_TOP_K = 100;
const MOST_TOP_K = 200;
const LOCAL = "local/compose";
const DEFAULT_MARGIN = 0.02;

/** Measures retrieval and answers, on a data set of its own or on the configured index. */
export const command: Command = {
  name: "eval",
  summary: "measure retrieval and answers on a folder of tables and questions",
  usage:
    "[--data DIR] [--questions Q.jsonl] [--run OUT.trec] [--answers OUT.jsonl] [--top-k 100] [--model M]… [--gate M] [--margin 0.02]",
  options: {
    data: {
      type: "string",
      value: "DIR",
      help: "schema.json, tables/*.csv, questions.jsonl, perhaps acl.json",
    },
    questions: { type: "string", value: "FILE", help: "questions instead of the folder's" },
    run: { type: "string", value: "FILE", help: "write the ranking as a TREC run" },
    answers: {
      type: "string",
      value: "FILE",
      help: "answer every question too, and write the answers as JSON lines",
    },
    "top-k": {
      type: "string",
      value: "N",
      help: `rows a question, 1 to ${MOST_TOP_K} (default ${DEFAULT_TOP_K})`,
    },
    model: {
      type: "string",
      multiple: true,
      value: "M",
      help: `who answers (default ${LOCAL}); several are compared`,
    },
    gate: {
      type: "string",
      value: "M",
      help: "the present default: fail when a --model is worse than it",
    },
    margin: {
      type: "string",
      value: "SHARE",
      help: `how much worse a share may be under --gate (default ${DEFAULT_MARGIN})`,
    },
  },
  async run(context) {
    const directory = string(context.values["data"]);
    const file = string(context.values["questions"]) ?? (directory && join(directory, "questions.jsonl"));
    if (file === undefined) {
      throw new QuaysideError(
        "config_invalid",
        "Give --data DIR, or --questions FILE for the configured index.",
      );
    }
    const topK = Number(string(context.values["top-k"]) ?? DEFAULT_TOP_K);
    if (!Number.isInteger(topK) || topK < 1 || topK > MOST_TOP_K) {
      throw new QuaysideError("config_invalid", `--top-k must be a whole number from 1 to ${MOST_TOP_K}.`);
    }
    const gate = gateOf(context);
    const questions = await readQuestions(file);
    const judged = await readJudgments(directory ?? "", questions);
    const started = Date.now();
    const measured = await (directory === undefined
      ? measure(context, { url: context.url, ...lent(context), anyone: undefined }, questions, topK)
      : onScratchIndex(context, directory, questions, (target) => measure(context, target, questions, topK)));
    const asked = new Set(questions.map((q) => q.id));
    const relevant = new Map([...judged].filter(([id]) => asked.has(id)));
    const ranking = relevant.size === 0 ? undefined : scoreRanking(measured.runs, relevant);
    const graded = questions.some((q) => q.answers !== undefined || q.expect !== undefined);
    if (gate && !graded) {
      throw new QuaysideError("config_invalid", "--gate needs questions with answers or expect.");
    }
    const answers: Record<string, ModelScores> = {};
    if (graded) {
      for (const [model, list] of measured.answers) {
        answers[model] = { ...scoreAnswers(questions, list), ...costsOf(list) };
      }
    }
    const seconds = Math.round((Date.now() - started) / 100) / 10;
    report(context, ranking, answers, seconds);
    const verdict = gate && judge(context, answers, gate);
    return {
      status: verdict?.status ?? 0,
      result: {
        data: directory ?? null,
        questions: questions.length,
        seconds,
        ranking: ranking ?? null,
        answers,
        ...(verdict && { gate: { present: gate.present, margin: gate.margin, worse: verdict.worse } }),
      },
    };
  },
};

type ModelScores = AnswerScores & AnswerCosts;

interface Gate {
  /** The model that a candidate would replace. */
  readonly present: string;
  readonly margin: number;
}

function gateOf({ values }: Context): Gate | undefined {
  const present = string(values["gate"]);
  const margin = Number(string(values["margin"]) ?? DEFAULT_MARGIN);
  if (!(margin >= 0 && margin <= 1)) {
    throw new QuaysideError("config_invalid", "--margin must be a share from 0 to 1.");
  }
  if (present === undefined) return undefined;
  if (strings(values["model"]).every((model) => model === present)) {
    throw new QuaysideError("config_invalid", "--gate needs a --model to hold against it.");
  }
  return { present, margin };
}

/** Who answers, in order; the present default is asked whether it was named or not. */
function modelsOf({ values }: Context): readonly string[] {
  const present = string(values["gate"]);
  const named = strings(values["model"]);
  return [...new Set(present === undefined ? named : [present, ...named])];
}

/** Holds every candidate against the present default. */
function judge(
  { terminal }: Context,
  answers: Readonly<Record<string, ModelScores>>,
  { present, margin }: Gate,
): { readonly status: ExitStatus; readonly worse: Readonly<Record<string, readonly Worse[]>> } {
  const base = answers[present];
  const worse: Record<string, readonly Worse[]> = {};
  for (const [model, scores] of Object.entries(answers)) {
    if (!base || model === present) continue;
    const reasons = worseThan(scores, base, margin);
    worse[model] = reasons;
    const said = reasons.length === 0 ? "passes" : `is worse: ${reasons.join(", ").replaceAll("_", " ")}`;
    terminal.print(`gate       ${model} ${said}, held against ${present}\n`);
  }
  return { status: Object.values(worse).some((reasons) => reasons.length > 0) ? 1 : 0, worse };
}

function lent(context: Context): Pick<Target, "host" | "signal"> {
  return { host: context.host, signal: context.signal };
}

interface Measured {
  readonly runs: ReadonlyMap<string, readonly string[]>;
  /** Model -> answers. */
  readonly answers: ReadonlyMap<string, readonly EvalAnswer[]>;
}

/** Ingests the data set into an index that exists for this run only, through the same write path as any other. */
async function onScratchIndex(
  context: Context,
  directory: string,
  questions: readonly EvalQuestion[],
  work: (target: Target) => Promise<Measured>,
): Promise<Measured> {
  const data = await readDataSet(directory);
  const { config, warnings } = configOf(data, questions, await settingsFor(context));
  for (const warning of warnings) context.terminal.warn(warning);
  const scratch = await mkdtemp(join(tmpdir(), "quayside-eval-"));
  const token = randomBytes(32).toString("base64url");
  try {
    const worker = await startWorker({
      port: 0,
      persistTo: join(scratch, "state"),
      token,
      demo: true,
      env: context.environment,
      secrets: secretNames(config),
      signal: context.signal,
    });
    try {
      const began = Date.now();
      const line = makeProgressLine(context.terminal, () => context.host.now());
      const { tables } = await ingestOnce({
        config,
        url: worker.url,
        token,
        host: context.host,
        yes: true,
        onProgress: line.update,
        signal: context.signal,
      });
      line.end();
      const rows = tables.reduce((sum, table) => sum + table.added, 0);
      context.terminal.note(`ingested ${rows} rows of ${tables.length} tables in ${seconds(began)} s`);
      return await work({ url: worker.url, ...lent(context), anyone: ANYONE });
    } finally {
      await worker.stop();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Models and embedder of the operator's own configuration, where a model is asked for that is not built in. */
async function settingsFor(context: Context): Promise<Pick<Config, "models" | "embedder">> {
  if (modelsOf(context).every((model) => model.startsWith("local/"))) return {};
  const { config } = await context.config();
  return {
    ...(config.models === undefined ? {} : { models: config.models }),
    ...(config.embedder === undefined ? {} : { embedder: config.embedder }),
  };
}

async function measure(
  context: Context,
  target: Target,
  questions: readonly EvalQuestion[],
  topK: number,
): Promise<Measured> {
  const { terminal, values } = context;
  const began = Date.now();
  const rankings = await overQuestions(
    questions,
    (question) => search(target, question, topK),
    (done) => every(done, questions.length, () => terminal.progress(`search ${done}/${questions.length}`)),
  );
  terminal.note(`searched ${questions.length} questions in ${seconds(began)} s`);
  const runs = new Map(questions.map((q, i) => [q.id, (rankings[i] ?? []).map((r) => r.document)] as const));
  const runFile = string(values["run"]);
  if (runFile !== undefined) {
    await write(runFile, questions.map((q, i) => trecLines(q.id, rankings[i] ?? [], "quayside")).join(""));
  }
  const answersFile = string(values["answers"]);
  const answers = new Map<string, readonly EvalAnswer[]>();
  const models = modelsOf(context);
  if (answersFile === undefined && models.length < 2) return { runs, answers };
  for (const model of models.length === 0 ? [LOCAL] : models) {
    const since = Date.now();
    const list = await overQuestions(
      questions,
      (question) => ask(target, question, model),
      (done) =>
        every(done, questions.length, () => terminal.progress(`${model} ${done}/${questions.length}`)),
    );
    terminal.note(`${model} answered ${list.length} questions in ${seconds(since)} s`);
    answers.set(model, list);
    if (answersFile === undefined) continue;
    await write(
      fileFor(answersFile, model, models.length),
      list.map((line) => `${JSON.stringify(line)}\n`).join(""),
    );
  }
  return { runs, answers };
}

function every(done: number, all: number, tell: () => void): void {
  if (done === all || done % 25 === 0) tell();
}

/** `answers.jsonl` for one model; `answers.openai-gpt.jsonl` where there are several. */
function fileFor(file: string, model: string, models: number): string {
  if (models < 2) return file;
  const name = model.replace(/[^A-Za-z0-9.]+/g, "-");
  return file.replace(/(\.[^./\\]+)?$/, (extension) => `.${name}${extension}`);
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

function seconds(since: number): string {
  return ((Date.now() - since) / 1000).toFixed(1);
}

const HEADING = [
  "answers by",
  "ok",
  "wrongly declined",
  "made up",
  "leaks",
  "precise",
  "complete",
  "cost",
  "median ms",
];

function report(
  { terminal }: Context,
  ranking: ReturnType<typeof scoreRanking> | undefined,
  answers: Readonly<Record<string, ModelScores>>,
  total: number,
): void {
  if (ranking) {
    terminal.print(
      `retrieval  ${ranking.questions} judged questions   nDCG@10 ${ranking.ndcg10.toFixed(3)}   Recall@10 ${ranking.recall10.toFixed(3)}   MRR@10 ${ranking.mrr10.toFixed(3)}\n`,
    );
  }
  const rows = Object.entries(answers).map(([model, s]) => [
    model,
    percent(s.ok),
    percent(s.wrongAbstain),
    percent(s.madeUp),
    String(s.leaks),
    percent(s.citationPrecision),
    percent(s.citationRecall),
    money(s.usd),
    s.medianMs === undefined ? "-" : String(Math.round(s.medianMs)),
  ]);
  if (rows.length > 0) terminal.print(`${table(HEADING, rows)}\n`);
  terminal.print(`in ${total} s\n`);
}

function percent(value: number | undefined): string {
  return value === undefined ? "-" : `${(value * 100).toFixed(1)}%`;
}
