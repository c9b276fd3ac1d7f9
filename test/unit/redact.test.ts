import { describe, expect, it } from "vitest";
import { findPersonal, redactCell } from "../../ingest/pipeline/redact.ts";
import { PERSONAL_KINDS, type PersonalKind } from "../../shared/config.ts";
import { costOf } from "../fakes/cost.ts";

const found = (text: string, kinds: readonly PersonalKind[] = PERSONAL_KINDS): readonly string[] =>
  findPersonal(text, kinds).map(({ kind, start, end }) => `${kind} ${text.slice(start, end)}`);

const redact = (cell: Parameters<typeof redactCell>[0]): [unknown, string[]] => {
  const kinds: string[] = [];
  return [redactCell(cell, PERSONAL_KINDS, (kind) => kinds.push(kind)), kinds];
};

describe("personal data in text", () => {
  it.each([
    ["write to <o'neil@acme.example>, please", "email o'neil@acme.example"],
    ["mailto:bob@corp.example.", "email bob@corp.example"],
    ["bob@corp.example:hunter2", "email bob@corp.example"],
    ["Call +33 1 42 68 53 00 now", "phone +33 1 42 68 53 00"],
    ["+44 (0)20 7946 0018.", "phone +44 (0)20 7946 0018"],
    ["06.12.34.56.78", "phone 06.12.34.56.78"],
    ["tel: 0142685300", "phone 0142685300"],
    ["(555) 010-1234", "phone (555) 010-1234"],
    ["4111 1111 1111 1111 12/28", "card 4111 1111 1111 1111"],
    ["3782 822463 10005", "card 3782 822463 10005"],
    ["DE89 3704 0044 0532 0130 00 on file", "iban DE89 3704 0044 0532 0130 00"],
    ["SSN 123 45 6789", "ssn 123 45 6789"],
    ["from 192.168.1.24 today", "ip 192.168.1.24"],
    ["password: hunter22", "secret hunter22"],
    ["postgres://app:s3cr3t@db/main", "secret s3cr3t"],
    [
      "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
      "secret -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
    ],
  ])("%s", (text, expected) => {
    expect(found(text)).toEqual([expected]);
  });

  it.each([
    "2026-11-03 09:15",
    "2024-11-23T06:06:45.663Z",
    "ISBN 978-3-16-148410-0",
    "ticket 0001234567",
    "+10 000 000 EUR",
    "48.8566, 2.3522",
    "version 1.2.3.4",
    "12:30:45",
    "00:1b:44:11:3a:b7",
    "std::vector",
    "https://social.example/@bob.smith",
    "git@host.example:org/repo.git",
    "Password: required",
    "sk-learn-compatible-estimators",
    "GB29 NWBK 6016 1331 9268 18",
    "123-45-0000",
    "1999-2000-2001-2002",
  ])("leaves %s", (text) => {
    expect(found(text)).toEqual([]);
  });

  it("is found whatever letters, blanks and hyphens it is written in, and replaced where it stands", () => {
    expect(
      found(
        "à ｂｏｂ＠ｃｏｒｐ．ｅｘａｍｐｌｅ, +49\u{a0}30\u{2011}901820 💡 4111\u{200b}1111\u{200b}1111\u{200b}1111",
      ),
    ).toEqual([
      "email ｂｏｂ＠ｃｏｒｐ．ｅｘａｍｐｌｅ",
      "phone +49\u{a0}30\u{2011}901820",
      "card 4111\u{200b}1111\u{200b}1111\u{200b}1111",
    ]);
  });

  it("looks for the kinds that it is asked for, and takes each place once", () => {
    expect(found("a@b.example, 4111111111111111", ["card"])).toEqual(["card 4111111111111111"]);
    expect(found("078-05-1120")).toEqual(["ssn 078-05-1120"]);
  });

  it("takes time in proportion to the text, however it repeats", () => {
    const hostile = [
      "@",
      "a@",
      "1 ",
      "1-",
      "0",
      ":",
      "AA00",
      "sk-",
      "eyJ",
      "-----BEGIN PRIVATE KEY-----",
      "token=",
      "+1 (2) ",
    ].map((part) => part.repeat(Math.ceil(100_000 / part.length)));
    const cost = costOf(() => {
      for (const text of hostile) findPersonal(text, PERSONAL_KINDS);
    });
    expect(cost).toBeLessThan(10_000);
  });
});

describe("a redacted cell", () => {
  it("names what was taken out, and is not redacted twice", () => {
    const [once, kinds] = redact("Ana (ana@acme.example) paid with 4111111111111111.");
    expect([once, kinds]).toEqual(["Ana ([email]) paid with [card].", ["email", "card"]]);
    expect(redact("Ana ([email]) paid with [card].")).toEqual(["Ana ([email]) paid with [card].", []]);
  });

  it("is redacted inside lists and objects, their names too, and in numbers", () => {
    expect(
      redact({ to: ["a@b.example"], "c@d.example": 4_111_111_111_111_111, n: 12, ok: true, no: null })[0],
    ).toEqual({
      to: ["[email]"],
      "[email]": "[card]",
      n: 12,
      ok: true,
      no: null,
    });
  });
});
