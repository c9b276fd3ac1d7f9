import { lazily } from "../../shared/lazily.ts";
import * as z from "zod/mini";
import type { Config, ModelConfig, TableConfig } from "../../shared/config.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import type { Classification } from "../../shared/ports/evidence.ts";
import { embedderOf } from "../../shared/space.ts";
import { modelConfig, modelsOfRule, presetOf } from "../answer/route.ts";
import type { Admission, AdmittedTable } from "../tenant/api.ts";
import { freshnessFields, freshnessJson } from "./freshness.ts";

/** What a caller may use and see, for the routes that say so. Nothing here tells of a table that the caller sees nothing of. */

const classification = (): z.ZodMiniEnum<{ [K in Classification]: K }> =>
  z.enum(["public", "internal", "confidential", "restricted"]);

export const readySchema = lazily(() => z.object({ ready: z.literal(true) }));

export const modelsSchema = lazily(() =>
  z.object({
    /** The model or route of this caller where none is named. */
    default: z.string(),
    aliases: z.record(z.string(), z.string()),
    /** Names that may be asked for like a model's; the first rule that holds decides. */
    routes: z.array(
      z.object({
        name: z.string(),
        rules: z.array(z.object({ name: z.string(), models: z.array(z.string()) })),
      }),
    ),
    models: z.array(
      z.object({
        id: z.string(),
        available: z.boolean(),
        /** A sentence; null when available. */
        why_not: z.nullable(z.string()),
        built_in: z.boolean(),
        /** Classifications of rows that it may receive. */
        classes: z.array(classification()),
        region: z.string(),
        retention: z.string(),
        trains_on_data: z.boolean(),
        context_tokens: z.number(),
        /** Null where the provider's own limit is the only one. */
        max_output_tokens: z.nullable(z.number()),
        capabilities: z.array(z.string()),
        /** Usual time to the first word, and quality from 1 to 5, as the operator says; null where nothing is said. */
        first_token_ms: z.nullable(z.number()),
        quality: z.nullable(z.number()),
        /** US dollars for a million tokens. */
        price: z.object({ input: z.number(), output: z.number() }),
      }),
    ),
  }),
);

export const tablesSchema = lazily(() =>
  z.object({
    tables: z.array(
      z.object({
        ...freshnessFields(),
        description: z.nullable(z.string()),
        key: z.array(z.string()),
        /** Columns that a search may be narrowed to. */
        filters: z.array(z.string()),
        classification: classification(),
        rollup: z.boolean(),
        /** Rows served in all; null unless the caller is an administrator. */
        rows: z.nullable(z.number()),
      }),
    ),
  }),
);

export const statusSchema = lazily(() =>
  z.object({
    name: z.string(),
    generation: z.number(),
    config_version: z.number(),
    /** `provider/model/dimensions`; null before the first ingest. */
    embedder: z.nullable(z.string()),
    /** The oldest of the tables below; null when there are none. */
    as_of: z.nullable(z.string()),
    /** Whom the credential stands for, and what it may do. */
    caller: z.object({ subject: z.string(), scopes: z.array(z.string()) }),
    tables: z.array(z.object({ ...freshnessFields(), rows: z.nullable(z.number()) })),
  }),
);

export async function describeModels(
  admission: Admission,
  { groups }: Principal,
  builtIn: readonly string[],
  whyNot: (id: string) => Promise<string | undefined>,
): Promise<z.infer<ReturnType<typeof modelsSchema>>> {
  const { config } = admission;
  const visible = classificationsOf(admission);
  const ids = new Set([...builtIn, ...Object.keys(config.models?.register ?? {})]);
  const models = await Promise.all(
    [...ids].map(async (id) => {
      const model = modelConfig(config, id);
      const reason = (await whyNot(id)) ?? classReason(model, visible);
      return {
        id,
        available: reason === undefined,
        why_not: reason ?? null,
        built_in: builtIn.includes(id),
        classes: [...model.classes],
        region: model.region,
        retention: model.retention,
        trains_on_data: model.trainsOnData,
        context_tokens: model.contextTokens,
        max_output_tokens: model.maxOutputTokens ?? null,
        capabilities: [...(model.capabilities ?? [])],
        first_token_ms: model.firstTokenMs ?? null,
        quality: model.quality ?? null,
        price: { input: model.price.input, output: model.price.output },
      };
    }),
  );
  const routes = Object.entries(config.models?.routes ?? {}).map(([name, { rules }]) => ({
    name,
    rules: rules.map((rule) => ({ name: rule.name, models: modelsOfRule(rule) })),
  }));
  return {
    default: presetOf(config, builtIn, groups),
    aliases: { ...config.models?.aliases },
    routes,
    models,
  };
}

/** A model that may receive some of the caller's rows is available: which rows an answer needs is not known before. */
function classReason(model: ModelConfig, visible: ReadonlySet<Classification>): string | undefined {
  if (visible.size === 0 || model.classes.some((c) => visible.has(c))) return undefined;
  if (model.classes.length === 0) return "It may receive no rows.";
  return `It may receive ${model.classes.join(", ")} rows only, and you see none of these.`;
}

function classificationsOf(admission: Admission): ReadonlySet<Classification> {
  const tables = admission.tables.flatMap(({ table }) => tableOf(admission.config, table) ?? []);
  return new Set(tables.flatMap((table) => [table.classification, ...viewsOf(table)]));
}

function viewsOf(table: TableConfig): Classification[] {
  return (table.views ?? []).flatMap((view) => view.classification ?? []);
}

export function describeTables(
  { tables, config }: Admission,
  principal: Principal,
  now: number,
): z.infer<ReturnType<typeof tablesSchema>> {
  return {
    tables: tables.flatMap((admitted) => {
      const { table, rows } = admitted;
      const configured = tableOf(config, table);
      if (!configured) return [];
      return {
        ...freshnessOf(admitted, now),
        description: configured.description ?? null,
        key: [...configured.key],
        filters: [...(configured.filters ?? [])],
        classification: configured.classification,
        rollup: configured.rollup ?? false,
        rows: rowsFor(principal, rows),
      };
    }),
  };
}

export function describeStatus(
  admission: Admission,
  principal: Principal,
  now: number,
): z.infer<ReturnType<typeof statusSchema>> {
  const tables = admission.tables.map((admitted) => ({
    ...freshnessOf(admitted, now),
    rows: rowsFor(principal, admitted.rows),
  }));
  const oldest = tables.map((table) => table.as_of).sort()[0];
  return {
    name: admission.config.name,
    generation: admission.generation,
    config_version: admission.configVersion,
    embedder: embedderOf(admission.space) || null,
    as_of: oldest ?? null,
    caller: { subject: principal.subject, scopes: [...principal.scopes] },
    tables,
  };
}

/** As it lies behind now. */
function freshnessOf(
  { table, asOf, targetLagMs }: AdmittedTable,
  now: number,
): ReturnType<typeof freshnessJson> {
  return freshnessJson({ table, asOf, lagMs: Math.max(0, now - Date.parse(asOf)), targetLagMs });
}

/** How many rows there are in all tells of rows that the caller may not see. */
function rowsFor(principal: Principal, rows: number): number | null {
  return principal.scopes.includes("admin") ? rows : null;
}

function tableOf(config: Config, name: string): TableConfig | undefined {
  return Object.hasOwn(config.tables, name) ? config.tables[name] : undefined;
}
