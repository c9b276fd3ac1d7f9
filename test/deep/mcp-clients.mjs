// Clients of MCP as their makers publish them, against one server: node mcp-clients.mjs URL TOKEN. Prints what each got.
import { createMCPClient } from "@ai-sdk/mcp";
import { mcpTools } from "@anthropic-ai/sdk/helpers/beta/mcp";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { MCPServerStreamableHttp } from "@openai/agents-core";

const [, , url = "", token = ""] = process.argv;
const headers = { authorization: `Bearer ${token}` };
const QUESTION = "Until when is the east berth in Dover closed?";

/** The protocol's own client of the generation before. */
async function first() {
  const client = new Client({ name: "test", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  return client;
}

const CLIENTS = {
  async sdk() {
    const client = await first();
    const { tools } = await client.listTools();
    const answer = await client.callTool({ name: "ask", arguments: { question: QUESTION } });
    await client.close();
    return [tools.map(({ name }) => name), answer.structuredContent.citations.map(({ id }) => id)];
  },

  /** What the Agents SDK gives its agents. */
  async openai() {
    const server = new MCPServerStreamableHttp({ url, name: "quayside", requestInit: { headers } });
    await server.connect();
    const tools = await server.listTools();
    const [answer] = await server.callTool("ask", { question: QUESTION });
    await server.close();
    return [tools.map(({ name }) => name), [/\((notices:\d+),/.exec(answer.text)?.[1]]];
  },

  /** The tools as Claude is given them, run as it would. */
  async anthropic() {
    const client = await first();
    const { tools } = await client.listTools();
    const given = mcpTools(tools, client);
    const said = JSON.stringify(await given.find(({ name }) => name === "ask").run({ question: QUESTION }));
    await client.close();
    return [given.map(({ name }) => name), [/\((notices:\d+),/.exec(said)?.[1]]];
  },

  async vercel() {
    const client = await createMCPClient({ transport: { type: "http", url, headers } });
    const tools = await client.tools();
    const answer = await tools.ask.execute({ question: QUESTION }, { toolCallId: "1", messages: [] });
    await client.close();
    return [Object.keys(tools), answer.structuredContent.citations.map(({ id }) => id)];
  },
};

const got = {};
for (const [name, run] of Object.entries(CLIENTS)) got[name] = await run();
process.stdout.write(JSON.stringify(got), () => process.exit(0));
