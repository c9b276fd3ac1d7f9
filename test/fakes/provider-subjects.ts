import type { ChatProvider } from "../../shared/ports/chat-provider.ts";
import { anthropic } from "../../workers/providers/anthropic.ts";
import { azure } from "../../workers/providers/azure.ts";
import { bedrock } from "../../workers/providers/bedrock.ts";
import { openaiCompatible } from "../../workers/providers/compatible.ts";
import { cortex } from "../../workers/providers/cortex.ts";
import { gemini } from "../../workers/providers/gemini.ts";
import { openai } from "../../workers/providers/openai.ts";
import { vertex } from "../../workers/providers/vertex.ts";
import { workersAi } from "../../workers/providers/workers-ai.ts";
import { ANTHROPIC_STUB_KEY, startAnthropic } from "../stubs/anthropic.ts";
import { AZURE_STUB_KEY, startAzure } from "../stubs/azure.ts";
import { BEDROCK_STUB, startBedrock } from "../stubs/bedrock.ts";
import { startCortex } from "../stubs/cortex.ts";
import { GEMINI_STUB_KEY, startGemini } from "../stubs/gemini.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import type { Stub } from "../stubs/stub.ts";
import { startVertex, VERTEX_STUB } from "../stubs/vertex.ts";
import { startWorkersAi, WORKERS_AI_STUB } from "../stubs/workers-ai.ts";
import { secretHost } from "./secret-host.ts";

/** Every provider that calls a service, each before a stub of its own. */

export interface ProviderSubject {
  readonly name: string;
  readonly stub: Stub;
  /** @param url of the service, default the stub's. @param network default the real one. @param settings besides its own. */
  provider(url?: string, network?: typeof fetch, settings?: Settings): ChatProvider;
}

/** It speaks of itself by name; the contract suite is over one that does not. */
const WORKERS_AI_MODEL = "@cf/qwen/qwen3-30b-a3b-fp8";

type Secrets = Readonly<Record<string, string>>;
type Settings = Readonly<Record<string, unknown>>;

function subject(
  name: string,
  stub: Stub,
  make: (settings: Settings, host: ReturnType<typeof secretHost>, url: string) => ChatProvider,
  secrets: (url: string) => Secrets,
): ProviderSubject {
  return {
    name,
    stub,
    provider(url = stub.url, network = fetch, settings = {}) {
      const host = secretHost(secrets(url));
      return make(settings, { ...host, fetch: (input, init) => network(input, init) }, url);
    },
  };
}

const openaiSecrets = (url: string): Secrets => ({
  OPENAI_API_KEY: OPENAI_STUB_KEY,
  OPENAI_BASE_URL: `${url}/v1`,
});

/** All of them, started; dispose of their stubs. */
export async function startProviderSubjects(): Promise<readonly ProviderSubject[]> {
  const cortexStub = await startCortex();
  const vertexStub = await startVertex();
  return [
    subject(
      "openai, chat",
      await startOpenai(),
      (settings, host) => openai({ api: "chat", ...settings }, host),
      openaiSecrets,
    ),
    subject(
      "openai, responses",
      await startOpenai(),
      (settings, host) => openai({ api: "responses", ...settings }, host),
      openaiSecrets,
    ),
    subject(
      "compatible",
      await startOpenai(),
      (settings, host, url) => openaiCompatible({ baseUrl: `${url}/v1`, secret: "KEY", ...settings }, host),
      () => ({ KEY: OPENAI_STUB_KEY }),
    ),
    subject("anthropic", await startAnthropic(), anthropic, (url) => ({
      ANTHROPIC_API_KEY: ANTHROPIC_STUB_KEY,
      ANTHROPIC_BASE_URL: url,
    })),
    subject("gemini", await startGemini(), gemini, (url) => ({
      GEMINI_API_KEY: GEMINI_STUB_KEY,
      GEMINI_BASE_URL: url,
    })),
    subject("vertex", vertexStub, vertex, (url) => ({
      GOOGLE_APPLICATION_CREDENTIALS_JSON: vertexStub.credentials,
      VERTEX_LOCATION: VERTEX_STUB.location,
      VERTEX_BASE_URL: url,
    })),
    subject("azure", await startAzure(), azure, (url) => ({
      AZURE_OPENAI_API_KEY: AZURE_STUB_KEY,
      AZURE_OPENAI_ENDPOINT: url,
    })),
    subject("bedrock", await startBedrock(), bedrock, (url) => ({
      AWS_REGION: BEDROCK_STUB.region,
      AWS_ACCESS_KEY_ID: BEDROCK_STUB.accessKeyId,
      AWS_SECRET_ACCESS_KEY: BEDROCK_STUB.secretAccessKey,
      BEDROCK_BASE_URL: url,
    })),
    subject(
      "workers-ai",
      await startWorkersAi(),
      (settings, host) => {
        const provider = workersAi(settings, host);
        // Its models have names of a form of their own.
        return {
          stream: (request, signal) => provider.stream({ ...request, model: WORKERS_AI_MODEL }, signal),
        };
      },
      (url) => ({
        CLOUDFLARE_ACCOUNT_ID: WORKERS_AI_STUB.account,
        CLOUDFLARE_API_TOKEN: WORKERS_AI_STUB.token,
        CLOUDFLARE_BASE_URL: url,
      }),
    ),
    subject("cortex", cortexStub, cortex, (url) => ({
      SNOWFLAKE_ACCOUNT: cortexStub.account,
      SNOWFLAKE_TOKEN: cortexStub.token,
      SNOWFLAKE_BASE_URL: url,
    })),
  ];
}
