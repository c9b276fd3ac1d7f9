import { expect, it } from "vitest";
import { vertex } from "../../workers/providers/vertex.ts";
import { ANSWER, collect, CONTENT, events, pem, recorded } from "./recorded.ts";

it("vertex in workerd exchanges a signed assertion for a token, and streams", async () => {
  const account = { client_email: "a@b.example", private_key: await pem(), project_id: "acme" };
  const secrets = {
    GOOGLE_APPLICATION_CREDENTIALS_JSON: JSON.stringify(account),
    VERTEX_LOCATION: "europe-west4",
  };
  const { host, sent } = recorded(secrets, (url) =>
    url === "https://oauth2.googleapis.com/token"
      ? Response.json({ access_token: "given", expires_in: 3600 })
      : events(CONTENT),
  );
  expect(await collect(vertex({}, host))).toEqual(ANSWER);
  expect(sent.map(({ headers }) => headers.get("authorization"))).toEqual([null, "Bearer given"]);
});
