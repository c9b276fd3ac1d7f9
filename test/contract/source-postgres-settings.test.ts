import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { makePostgresSource } from "../../ingest/sources/postgres.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { failureOf } from "./source-sql.ts";

/** What needs no server. */
describe("postgres source", () => {
  it("loads in Node as it is, without a step that rewrites it", () => {
    const module = new URL("../../ingest/sources/redshift.ts", import.meta.url).href;
    const script = `console.log(typeof (await import(${JSON.stringify(module)})).makeRedshiftSource)`;
    const args = ["--input-type=module", "--eval", script];
    expect(execFileSync(process.execPath, args, { stdio: "pipe" }).toString()).toBe("function\n");
  });

  it("says what no server says when none is there", async () => {
    const nowhere = secretHost({ DATABASE_URL: "postgres://u:topsecret@127.0.0.1:1/db" });
    await using source = makePostgresSource({ kind: "postgres" }, nowhere);
    const error = await failureOf(source.describe({ name: ["people"] }, new AbortController().signal));
    expect(error.code).toBe("source_unavailable");
    expect(error.message).not.toContain("topsecret");
  });

  it.each([
    ["", "nothing"],
    ["not a URL", "no URL"],
    ["mysql://u:p@h/db", "another protocol"],
    ["postgres://h/db", "no user"],
    ["postgres://u:topsecret@a,b/db", "two hosts"],
    ["postgres://u:topsecret%zz@h/db", "a broken escape"],
    ["postgres://u:topsecret@h/db?sslmode=prefer", "a mode that falls back to plain text"],
    ["postgres://u:topsecret@h/db?sslmode=none", "no mode"],
    ["postgres://u:topsecret@h/db?sslmode=verify-ca", "no authority"],
    ["postgres://u:topsecret@h/db?sslmode=require&channel_binding=require", "channel binding"],
    [
      "postgres://u:topsecret@h/db?options=-c%20default_transaction_read_only%3Doff",
      "settings for the session",
    ],
  ])("refuses the URL %j: %s", (url) => {
    try {
      makePostgresSource({ kind: "postgres" }, secretHost(url === "" ? {} : { DATABASE_URL: url }));
      expect.unreachable();
    } catch (error) {
      expect(error instanceof QuaysideError && error.code).toBe("config_invalid");
      expect(String(error)).not.toContain("topsecret");
    }
  });

  it("lists every wrong setting", () => {
    try {
      const wrong = { timeoutSeconds: 0, lockTimeoutSeconds: "1", other: 1 };
      const host = secretHost({ DATABASE_URL: "postgres://u:p@h/db" });
      makePostgresSource({ kind: "postgres", ...wrong }, host);
      expect.unreachable();
    } catch (error) {
      expect(error instanceof QuaysideError && error.violations.length).toBe(3);
    }
  });
});
