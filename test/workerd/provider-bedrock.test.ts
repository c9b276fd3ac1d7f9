import { expect, it } from "vitest";
import { bedrock } from "../../workers/providers/bedrock.ts";
import { ANSWER, collect, events, recorded } from "./recorded.ts";

/** Three messages of a ConverseStream: a delta, the stop, the tokens. */
const MESSAGES =
  "AAAAsQAAAFe9ijqaCzpldmVudC10eXBlBwARY29udGVudEJsb2NrRGVsdGENOmNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb24NOm1lc3NhZ2UtdHlwZQcABWV2ZW50eyJjb250ZW50QmxvY2tJbmRleCI6MCwiZGVsdGEiOnsidGV4dCI6IkEgaGluZ2UgcGluIFsxXS4ifSwicCI6ImFiY2RlZmdoIn0WpCCYAAAAiQAAAFHFuGzoCzpldmVudC10eXBlBwALbWVzc2FnZVN0b3ANOmNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb24NOm1lc3NhZ2UtdHlwZQcABWV2ZW50eyJzdG9wUmVhc29uIjoiZW5kX3R1cm4iLCJwIjoiYWJjZGVmZ2gifca7iqMAAACrAAAATvOxHXkLOmV2ZW50LXR5cGUHAAhtZXRhZGF0YQ06Y29udGVudC10eXBlBwAQYXBwbGljYXRpb24vanNvbg06bWVzc2FnZS10eXBlBwAFZXZlbnR7InVzYWdlIjp7ImlucHV0VG9rZW5zIjoxMiwib3V0cHV0VG9rZW5zIjo1LCJ0b3RhbFRva2VucyI6MTd9LCJwIjoiYWJjZGVmZ2gifaYJto4=";

it("bedrock in workerd signs, and decodes the binary stream", async () => {
  const secrets = { AWS_REGION: "eu-central-1", AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };
  const body = Uint8Array.from(atob(MESSAGES), (char) => char.charCodeAt(0));
  const { host, sent } = recorded(secrets, () => events(body, "application/vnd.amazon.eventstream"));
  expect(await collect(bedrock({}, host))).toEqual(ANSWER);
  expect(sent[0]?.headers.get("authorization")).toMatch(
    /^AWS4-HMAC-SHA256 Credential=id\/20261118\/eu-central-1\/bedrock\/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
  );
});
