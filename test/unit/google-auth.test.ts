import { expect, it } from "vitest";
import { googleAccount } from "../../shared/google-auth.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { secretHost } from "../fakes/secret-host.ts";

function codeOf(tokenUri: string): string {
  const json = JSON.stringify({ client_email: "a@example.org", private_key: "-", token_uri: tokenUri });
  try {
    googleAccount(json, secretHost({}), {
      unavailable: "source_unavailable",
      rejected: "source_rejected",
    });
    return "accepted";
  } catch (error) {
    return error instanceof QuaysideError ? error.code : "thrown";
  }
}

it.each([
  ["https://oauth2.googleapis.com/token", "accepted"],
  ["http://127.0.0.1:8080/token", "accepted"],
  ["http://localhost:8080/token", "accepted"],
  ["http://oauth2.googleapis.com/token", "config_invalid"],
  ["http://127.0.0.1.example.org/token", "config_invalid"],
  ["oauth2.googleapis.com/token", "config_invalid"],
  ["ftp://oauth2.googleapis.com/token", "config_invalid"],
])("a signed assertion goes to %s: %s", (uri, expected) => {
  expect(codeOf(uri)).toBe(expected);
});
