import type { AuditEntry } from "../../shared/audit-wire.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { LedgerApi } from "../tenant/api.ts";
import type { Settlement } from "../tenant/api-answers.ts";
import type { Circuits } from "../tenant/circuits.ts";
import { makeWriteBehind } from "../write-behind.ts";
import type { AnswerKeys } from "./cache-key.ts";
import { recordOf, type Given } from "./records.ts";

/** What answers leave behind in the ledger: written after their last byte, that of many answers in one call. */
export interface Aftermath {
  readonly settle: (tenant: string, settlement: Settlement) => void;
  readonly record: (given: Given) => void;
  /** @param id names the question in the log, should the entry be lost. */
  readonly audit: (tenant: string, entry: AuditEntry & { readonly id: string }) => void;
}

export interface AftermathDeps {
  readonly ledger: (tenant: string) => Pick<LedgerApi, "conclude">;
  readonly keys: Pick<AnswerKeys, "questionDigest">;
  readonly circuits: (tenant: string) => Pick<Circuits, "learn">;
  readonly defer: (work: Promise<unknown>) => void;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly host: Pick<Host, "now" | "log">;
}

type Item =
  | { readonly type: "settled"; readonly settlement: Settlement }
  | { readonly type: "answer"; readonly given: Given }
  | { readonly type: "audit"; readonly entry: AuditEntry & { readonly id: string } };

export function makeAftermath(deps: AftermathDeps): Aftermath {
  const { ledger, keys, circuits, defer, sleep, host } = deps;
  const later = makeWriteBehind<Item>({
    async write(tenant, items) {
      const now = host.now();
      const answers = items.flatMap((item) =>
        item.type === "answer" ? [recordOf(item.given, keys, now)] : [],
      );
      const open = await ledger(tenant).conclude({
        settled: items.flatMap((item) => (item.type === "settled" ? [item.settlement] : [])),
        answers: await Promise.all(answers),
        audit: items.flatMap((item) =>
          item.type === "audit" ? [{ key: item.entry.key, record: item.entry.record }] : [],
        ),
      });
      circuits(tenant).learn(open);
    },
    // Of the rest, counters and a replay are missed, and what was held is free again after a while.
    failed(items) {
      for (const item of items) {
        if (item.type === "audit") host.log({ level: "error", event: "audit-failed", id: item.entry.id });
      }
    },
    defer,
    sleep,
    now: () => host.now(),
  });
  return {
    settle: (tenant, settlement) => later(tenant, { type: "settled", settlement }),
    record: (given) => later(given.principal.tenant, { type: "answer", given }),
    audit: (tenant, entry) => later(tenant, { type: "audit", entry }),
  };
}
