import * as z from "zod/mini";
import { describe, expect, it } from "vitest";
import { findPersonal } from "../../ingest/pipeline/redact.ts";
import { PERSONAL_KINDS } from "../../shared/config.ts";
import { hostile } from "./hostile.ts";

const cases = hostile(
  "pii.jsonl",
  z.object({
    id: z.string(),
    text: z.string(),
    spans: z.array(z.object({ type: z.string(), text: z.string() })),
  }),
);

/** What has a form. Names, addresses and health are known by their column. */
const KIND_OF: Readonly<Record<string, string>> = { us_ssn: "ssn" };
const kindOf = (type: string): string => KIND_OF[type] ?? type;

const found = (text: string): readonly string[] =>
  findPersonal(text, PERSONAL_KINDS).map(({ kind, start, end }) => `${kind}:${text.slice(start, end)}`);

/** Share of the spans of these types that are found whole. */
function share(types: readonly string[]): number {
  const wanted = (cases ?? []).flatMap(({ text, spans }) =>
    spans.filter(({ type }) => types.includes(type)).map((span) => ({ text, span })),
  );
  const hit = wanted.filter(({ text, span }) => found(text).includes(`${kindOf(span.type)}:${span.text}`));
  return hit.length / wanted.length;
}

describe.skipIf(!cases)("personal data in text", () => {
  it("finds what has check digits", () => {
    expect(share(["card", "iban"])).toBeGreaterThanOrEqual(0.99);
  });

  it.each(["email", "phone", "secret", "us_ssn", "ip"])("finds %s", (type) => {
    expect(share([type])).toBeGreaterThanOrEqual(0.95);
  });

  it("changes nothing else: look-alikes, and text around what it finds", () => {
    const all = (cases ?? []).flatMap(({ text, spans }) => {
      const known = spans.map(({ type, text: span }) => `${kindOf(type)}:${span}`);
      return found(text).filter((span) => !known.includes(span));
    });
    expect(all).toEqual([]);
  });
});
