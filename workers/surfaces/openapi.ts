import * as z from "zod/mini";
import { PROBLEMS } from "../problem.ts";
import type { Route, RouteDoc, Schema, Surface } from "./surface.ts";

/**
 * OpenAPI 3.1 of every documented route, made from the schemas that the routes parse with. The Worker carries neither this
 * nor the routes' `doc`: `workers/build-docs.ts` makes the file that `GET /openapi.json` serves.
 */
export function openapi(surfaces: readonly Surface[]): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { name, routes } of surfaces) {
    for (const route of routes) {
      if (!route.doc) continue;
      const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
      (paths[path] ??= {})[route.method.toLowerCase()] = operation(name, route, route.doc);
    }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Quayside",
      version: "1",
      description: "Answers from warehouse tables: governed, cited, with the model that you choose.",
    },
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: { Problem: PROBLEM_SCHEMA },
      responses: {
        Problem: {
          description: "A problem document (RFC 9457)",
          content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        },
      },
    },
  };
}

function operation(tag: string, route: Route, doc: RouteDoc): unknown {
  const names = [...route.path.matchAll(/:(\w+)/g)].map((match) => match[1]);
  const status = String(doc.status ?? 200);
  const answer = doc.answer && { "application/json": { schema: schemaOf(doc.answer, "output") } };
  const stream = route.path === "/v1/ask" ? { "text/event-stream": { schema: { type: "string" } } } : {};
  return {
    tags: [tag],
    summary: doc.summary,
    ...(doc.scope === undefined ? { security: [] } : { security: [{ bearer: [] }], "x-scope": doc.scope }),
    ...(names.length === 0
      ? {}
      : {
          parameters: names.map((name) => ({
            name,
            in: "path",
            required: true,
            schema: { type: "string" },
          })),
        }),
    ...requestBody(doc),
    responses: {
      [status]: { description: "Success", ...(answer ? { content: { ...answer, ...stream } } : {}) },
      default: { $ref: "#/components/responses/Problem" },
    },
  };
}

function requestBody(doc: RouteDoc): object {
  if (doc.body) {
    const schema = schemaOf(doc.body, "input");
    return { requestBody: { required: true, content: { "application/json": { schema } } } };
  }
  if (doc.bodyType === undefined) return {};
  return {
    requestBody: {
      required: true,
      content: { [doc.bodyType]: { schema: { type: "string", format: "binary" } } },
    },
  };
}

/** Checks that JSON Schema can't say (no NUL, not blank) are left out; nothing else is. */
function schemaOf(schema: Schema, io: "input" | "output"): unknown {
  const made = typeof schema === "function" ? schema() : schema;
  const { $schema: _, ...json } = z.toJSONSchema(made, { io, unrepresentable: "any" });
  return json;
}

const PROBLEM_SCHEMA = {
  type: "object",
  required: ["type", "title", "status", "detail", "instance", "code", "retryable"],
  properties: {
    type: { type: "string", description: "urn:quayside:problem:<code>" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    instance: { type: "string", description: "urn:request:<x-request-id>" },
    code: { type: "string", enum: Object.keys(PROBLEMS) },
    retryable: { type: "boolean" },
    errors: {
      type: "array",
      description: "For 422: JSON pointers and the rules that were broken",
      items: {
        type: "object",
        required: ["pointer", "rule"],
        properties: { pointer: { type: "string" }, rule: { type: "string" } },
      },
    },
  },
} as const;
