import { expect, it } from "vitest";
import { cortex } from "../../workers/providers/cortex.ts";
import { ANSWER, collect, events, pem, recorded } from "./recorded.ts";

it("cortex in workerd signs a token, and streams", async () => {
  const secrets = {
    SNOWFLAKE_ACCOUNT: "acme",
    SNOWFLAKE_USER: "quayside",
    SNOWFLAKE_PRIVATE_KEY: await pem(),
  };
  const chunk = {
    choices: [{ delta: { type: "text", content: "A hinge pin [1]." } }],
    usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 },
  };
  const { host, sent } = recorded(secrets, () => events(`data: ${JSON.stringify(chunk)}\n\n`));
  expect(await collect(cortex({}, host))).toEqual(ANSWER);
  expect(sent[0]?.headers.get("authorization")).toMatch(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
});
