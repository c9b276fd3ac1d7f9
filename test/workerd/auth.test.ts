import { describe, expect, it } from "vitest";
import type { Config } from "../../shared/config.ts";
import { DEFAULT_LIMITS } from "../../shared/config-limits.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { authenticate, bearer } from "../../workers/auth/authenticate.ts";
import { principalOf } from "../../workers/auth/claims.ts";
import { demoUser } from "../../workers/auth/demo.ts";
import { makeRequestLimiter, type RateLimits } from "../../workers/auth/limits.ts";
import { operatorToken } from "../../workers/auth/operator.ts";

const CONFIG: Config = {
  name: "auth test",
  sources: {},
  tables: {},
  demo: {
    users: {
      ops: { label: "Operations", groups: ["ops"], attributes: { site: ["FR"] } },
      guest: { label: "Guest", groups: [] },
    },
    examples: [],
  },
};

const operator = bearer([operatorToken({ token: "right", tenant: "acme" })]);
const demo = demoUser({ tenant: "acme", config: async () => CONFIG });
const kinds = [operator, demo];

const HOST = "127.0.0.1:8787";

function request(headers: Readonly<Record<string, string>> = {}, url = `http://${HOST}/v1/ask`): Request {
  return new Request(url, { headers: { host: new URL(url).host, ...headers } });
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof QuaysideError) return error.code;
    throw error;
  }
  return "none";
}

describe("operator token", () => {
  it("carries every operation and no group", async () => {
    expect(await authenticate(request({ authorization: "Bearer right" }), kinds)).toEqual({
      tenant: "acme",
      subject: "operator",
      groups: [],
      attributes: {},
      scopes: ["ask", "ingest", "erase", "admin", "audit", "metrics", "widget"],
    });
  });

  it("reads the scheme in any case", async () => {
    expect(await codeOf(authenticate(request({ authorization: "bearer right" }), kinds))).toBe("none");
  });

  it.each([
    ["another token", "Bearer wrong"],
    ["a prefix", "Bearer righ"],
    ["a longer one", "Bearer rightx"],
    ["no token", "Bearer"],
    ["an empty one", "Bearer "],
    ["Basic", `Basic ${btoa("user:right")}`],
    ["no scheme", "right"],
    ["two tokens", "Bearer right, Bearer right"],
    ["a token with a space", "Bearer ri ght"],
  ])("refuses %s", async (_, authorization) => {
    expect(await codeOf(authenticate(request({ authorization }), kinds))).toBe("unauthenticated");
  });

  it("refuses everyone when no token is set", async () => {
    const unset = [bearer([operatorToken({ token: undefined, tenant: "acme" })])];
    for (const authorization of ["Bearer undefined", "Bearer null", "Bearer x"]) {
      expect(await codeOf(authenticate(request({ authorization }), unset))).toBe("unauthenticated");
    }
  });

  it.each(["access_token", "token", "api_key", "API_KEY", "key", "authorization"])(
    "refuses a credential in the query (%s), even beside a right one",
    async (name) => {
      const url = `http://${HOST}/v1/ask?${name}=right`;
      expect(await codeOf(authenticate(request({ authorization: "Bearer right" }, url), kinds))).toBe(
        "unauthenticated",
      );
    },
  );

  it("refuses a request without a credential where there is no demo mode", async () => {
    expect(await codeOf(authenticate(request(), [operator]))).toBe("unauthenticated");
  });

  it("refuses two credentials", async () => {
    const both = { authorization: "Bearer right", "x-quayside-demo-user": "ops" };
    expect(await codeOf(authenticate(request(both), kinds))).toBe("unauthenticated");
  });
});

describe("demo mode", () => {
  it("acts as the first user by default, who may only ask", async () => {
    expect(await authenticate(request(), kinds)).toEqual({
      tenant: "acme",
      subject: "ops",
      groups: ["ops"],
      attributes: { site: ["FR"] },
      scopes: ["ask"],
    });
  });

  it("acts as the user that the header names", async () => {
    const principal = await authenticate(request({ "x-quayside-demo-user": "guest" }), kinds);
    expect(principal.subject).toBe("guest");
    expect(principal.groups).toEqual([]);
  });

  it.each(["nobody", "", "OPS", "__proto__", "ops,guest"])("knows no user %j", async (name) => {
    expect(await codeOf(authenticate(request({ "x-quayside-demo-user": name }), kinds))).toBe(
      "unauthenticated",
    );
  });

  it.each(["http://127.0.0.1:8787", "http://localhost:1", "http://[::1]:8787", "http://localhost"])(
    "answers under %s",
    async (origin) => {
      expect(await codeOf(authenticate(request({}, `${origin}/v1/ask`), kinds))).toBe("none");
    },
  );

  it.each([
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil-localhost",
    "0.0.0.0",
    "127.0.0.2",
    "192.168.1.4:8787",
    "127.0.0.1@evil.example",
  ])("refuses the host %s", async (host) => {
    expect(await codeOf(authenticate(request({ host }), kinds))).toBe("origin_not_allowed");
  });

  it.each([
    "http://evil.example/v1/ask",
    "http://127.0.0.1.evil.example/v1/ask",
    "http://127.0.0.1:8787@evil.example/v1/ask",
    "http://evil.example?http://127.0.0.1:8787/v1/ask",
    "http://evil.example#http://127.0.0.1:8787/v1/ask",
    "ftp://127.0.0.1:8787/v1/ask",
  ])("refuses the address %s, whatever host the header names", async (url) => {
    expect(await codeOf(authenticate(request({ host: HOST }, url), kinds))).toBe("origin_not_allowed");
  });

  it.each([
    "http://evil.example",
    "http://127.0.0.1:9999",
    "https://127.0.0.1:8787",
    "http://localhost:8787",
    "null",
    "http://127.0.0.1:8787.evil.example",
  ])("refuses the origin %s", async (origin) => {
    expect(await codeOf(authenticate(request({ origin }), kinds))).toBe("origin_not_allowed");
  });

  it("takes its own origin", async () => {
    expect(await codeOf(authenticate(request({ origin: `http://${HOST}` }), kinds))).toBe("none");
  });

  it.each([
    ["cross-site", "origin_not_allowed"],
    ["same-site", "origin_not_allowed"],
    ["same-origin", "none"],
    ["none", "none"],
  ])("answers a browser's %s request with %s", async (site, code) => {
    expect(await codeOf(authenticate(request({ "sec-fetch-site": site }), kinds))).toBe(code);
  });

  it("has nobody to act as before a configuration is published", async () => {
    const empty = [demoUser({ tenant: "acme", config: async () => undefined })];
    expect(await codeOf(authenticate(request(), empty))).toBe("not_configured");
  });
});

describe("claims", () => {
  const good = { tenant: "acme", subject: "u", groups: ["a"], attributes: { r: ["x"] }, scopes: ["ask"] };

  it("are taken when every one has its form", () => {
    expect(principalOf(good)).toEqual(good);
  });

  it.each([
    ["an empty tenant", { tenant: "" }],
    ["a tenant that is a list", { tenant: ["acme"] }],
    ["a tenant with a slash", { tenant: "acme/other" }],
    ["groups as an object", { groups: { 0: "hr" } }],
    ["groups as text", { groups: "hr" }],
    ["a group that is a number", { groups: [1] }],
    ["an empty group", { groups: [""] }],
    ["an attribute as text", { attributes: { region: "DE" } }],
    ["an attribute as a number", { attributes: { clearance: [3] } }],
    ["an unknown scope", { scopes: ["root"] }],
    ["a claim too many", { admin: true }],
    ["no subject", { subject: undefined }],
  ])("are refused with %s", (_, change) => {
    let code = "none";
    try {
      principalOf({ ...good, ...change });
    } catch (error) {
      if (error instanceof QuaysideError) code = error.code;
    }
    expect(code).toBe("unauthenticated");
  });
});

const ADA: Principal = { tenant: "acme", subject: "ada", groups: [], attributes: {}, scopes: [] };
const BOB: Principal = { ...ADA, subject: "bob" };
const LIMITS: RateLimits = { requestsPerMinute: 30, tenantRequestsPerMinute: 300, concurrentRequests: 4 };

function bench() {
  let at = 1_000_000;
  const limiter = makeRequestLimiter(() => at);
  const outcome = (principal: Principal, limits: RateLimits, over = true): string => {
    try {
      const leave = limiter.enter(principal, limits);
      if (over) leave();
      return "in";
    } catch (error) {
      if (!(error instanceof QuaysideError)) throw error;
      return `${error.code} ${error.retryAfterMs}`;
    }
  };
  const count = (principal: Principal, limits: RateLimits, tries: number): number =>
    Array.from({ length: tries }, () => outcome(principal, limits)).filter((o) => o === "in").length;
  return { limiter, outcome, count, wait: (ms: number) => void (at += ms) };
}

describe("request limits", () => {
  it("are 30 a minute and 4 at once by default", () => {
    expect(DEFAULT_LIMITS).toMatchObject({
      requestsPerMinute: 30,
      tenantRequestsPerMinute: 300,
      concurrentRequests: 4,
    });
  });

  it("let 30 through and tell the 31st to wait two seconds", () => {
    const { count, outcome } = bench();
    expect(count(ADA, LIMITS, 30)).toBe(30);
    expect(outcome(ADA, LIMITS)).toBe("rate_limited 2000");
  });

  it("let one more through after the wait, and 30 after a minute", () => {
    const { count, outcome, wait } = bench();
    count(ADA, LIMITS, 30);
    wait(1999);
    expect(outcome(ADA, LIMITS)).toBe("rate_limited 1");
    wait(1);
    expect(count(ADA, LIMITS, 2)).toBe(1);
    wait(3_600_000);
    expect(count(ADA, LIMITS, 40)).toBe(30);
  });

  it("count each person apart, and all of a tenant together", () => {
    const { count } = bench();
    const limits = { ...LIMITS, tenantRequestsPerMinute: 40 };
    expect(count(ADA, limits, 40)).toBe(30);
    expect(count(BOB, limits, 40)).toBe(10);
    expect(count({ ...ADA, tenant: "other" }, limits, 40)).toBe(30);
  });

  it("do not take two pairs of tenant and subject for one", () => {
    const { count } = bench();
    expect(count({ ...ADA, tenant: "a", subject: "b:c" }, LIMITS, 30)).toBe(30);
    expect(count({ ...ADA, tenant: "a:b", subject: "c" }, LIMITS, 30)).toBe(30);
  });

  it("let four run at once, and a fifth when one is over", () => {
    const { limiter, outcome } = bench();
    const leave = limiter.enter(ADA, LIMITS);
    for (let i = 0; i < 3; i++) limiter.enter(ADA, LIMITS);
    expect(outcome(ADA, LIMITS)).toBe("too_many_concurrent 1000");
    expect(outcome(BOB, LIMITS)).toBe("in");
    leave();
    leave();
    expect(outcome(ADA, LIMITS, false)).toBe("in");
    expect(outcome(ADA, LIMITS)).toBe("too_many_concurrent 1000");
  });

  it("charge nothing for a refused request", () => {
    const { limiter, count } = bench();
    const open = Array.from({ length: 4 }, () => limiter.enter(ADA, LIMITS));
    expect(count(ADA, LIMITS, 100)).toBe(0);
    for (const leave of open) leave();
    expect(count(ADA, LIMITS, 100)).toBe(26);
  });
});
