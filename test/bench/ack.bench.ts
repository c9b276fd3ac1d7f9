import { makeRegistryClient } from "../../shared/registry-client.ts";
import { serve } from "../e2e/harness.ts";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";
import { SIGNING_SECRET, signatureOf } from "../fakes/slack-world.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import { BOT_TOKEN, startSlack } from "../stubs/slack.ts";
import { wait } from "../stubs/stub.ts";

/**
 * How long Slack waits for its acknowledgement while the model takes a minute: signed events, a thread each, one every 250 ms,
 * to the served Worker; `/healthz` of the same Worker between them, which tells what the machine adds. Slack gives up after
 * three seconds and sends again.
 *   --events=200
 *   --gate   fail when the 99th percentile is over the gate below, or when an answer came before the model could have given it
 */
const GATE_P99_MS = 300;
const EVERY_MS = 250;
const MODEL_MS = 60_000;
const PEOPLE = 50;

const eventsFlag = process.argv.find((arg) => arg.startsWith("--events="))?.slice("--events=".length);
const EVENTS = Number(eventsFlag ?? 200);

const openai = await startOpenai();
openai.fault({ mode: "slow_headers", ms: MODEL_MS });
const slack = await startSlack({
  users: Array.from({ length: PEOPLE }, (_, n) => ({
    id: `U${n}`,
    team_id: "T01",
    is_email_confirmed: true,
    profile: { email: `person-${n}@port.example` },
  })),
});
const served = await serve(CONFIG, {
  OPENAI_API_KEY: OPENAI_STUB_KEY,
  OPENAI_BASE_URL: `${openai.url}/v1`,
  SLACK_SIGNING_SECRET: SIGNING_SECRET,
  SLACK_BOT_TOKEN: BOT_TOKEN,
  SLACK_API_URL: `${slack.url}/api`,
});

/** Milliseconds until a response is whole. */
async function timed(path: string, init: RequestInit = {}): Promise<number> {
  const since = performance.now();
  const response = await fetch(served.url + path, init);
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return performance.now() - since;
}

function acknowledge(n: number): Promise<number> {
  const user = `U${n % PEOPLE}`;
  const event = {
    type: "message",
    channel_type: "im",
    channel: `D${user}`,
    user,
    ts: `${n + 1}.1`,
    text: `Until when is berth ${n} in Dover closed?`,
  };
  const body = JSON.stringify({ type: "event_callback", team_id: "T01", event_id: `Ev${n}`, event });
  const timestamp = String(Math.floor(Date.now() / 1000));
  const headers = {
    "content-type": "application/json",
    "x-slack-request-timestamp": timestamp,
    "x-slack-signature": signatureOf(body, timestamp),
  };
  return timed("/slack/events", { method: "POST", headers, body });
}

const percentile = (times: readonly number[], share: number): number =>
  Math.round(times.toSorted((a, b) => a - b)[Math.floor((times.length - 1) * share)] ?? Number.NaN);

try {
  const patient = 2 * MODEL_MS;
  const waits = { headersTimeoutMs: patient, firstTokenTimeoutMs: patient, totalTimeoutMs: patient };
  const limits = { ...CONFIG.limits, ...waits };
  await seedRows(makeRegistryClient({ url: served.url, token: served.token, fetch }), {
    ...CONFIG,
    limits,
    models: { ...CONFIG.models, default: "openai/gpt-test" },
    identity: {
      directory: { organisations: { slack: ["T01"] }, domains: { "port.example": { groups: [] } } },
    },
    surfaces: { slack: {} },
  });
  // The first of all loads code.
  await acknowledge(EVENTS);
  const sent: Promise<number>[] = [];
  const bare: Promise<number>[] = [];
  for (let n = 0; n < EVENTS; n++) {
    sent.push(acknowledge(n));
    await wait(EVERY_MS / 2);
    bare.push(timed("/healthz"));
    await wait(EVERY_MS / 2);
  }
  const acks = await Promise.all(sent);
  const healthz = await Promise.all(bare);
  const result = {
    bench: "ack",
    events: EVENTS,
    model_ms: MODEL_MS,
    asked_of_model: openai.exchanges.length,
    answered: slack.messages.length,
    p50_ms: percentile(acks, 0.5),
    p99_ms: percentile(acks, 0.99),
    most_ms: percentile(acks, 1),
    healthz_p50_ms: percentile(healthz, 0.5),
    healthz_p99_ms: percentile(healthz, 0.99),
  };
  console.log(JSON.stringify({ ...result, gate: { p99_ms: GATE_P99_MS } }));
  if (process.argv.includes("--gate") && (result.p99_ms > GATE_P99_MS || result.answered > 0)) {
    console.error(
      `Over the gate: p99 ${result.p99_ms} ms > ${GATE_P99_MS}, or ${result.answered} answers too soon`,
    );
    process.exitCode = 1;
  }
} finally {
  await served.stop();
  await openai[Symbol.asyncDispose]();
  await slack[Symbol.asyncDispose]();
}
