import { unzipSync, strFromU8 } from "fflate";
import { expect, it } from "vitest";
import { teamsManifest, teamsPackage } from "../../ingest/manifests/teams.ts";
import { teamsConfig } from "../fakes/teams-world.ts";
import { APP_ID } from "../stubs/teams.ts";

it("packs a manifest that names the Worker, with both icons", async () => {
  const prompts = [{ title: "Berths", message: "Which berths are closed?" }];
  const manifest = teamsManifest(teamsConfig({ prompts }), "https://quayside.acme.example", APP_ID);
  const files = unzipSync(await teamsPackage(manifest));
  expect(Object.keys(files).sort()).toEqual(["color.png", "manifest.json", "outline.png"]);
  expect(JSON.parse(strFromU8(files["manifest.json"] ?? new Uint8Array()))).toMatchObject({
    id: APP_ID,
    bots: [{ botId: APP_ID, commandLists: [{ commands: [{ title: "Berths" }] }] }],
    validDomains: ["quayside.acme.example"],
  });
  // Width and height in a PNG's header: https://www.w3.org/TR/png/#11IHDR
  const size = (name: string): number =>
    new DataView(files[name]?.buffer ?? new ArrayBuffer(24)).getUint32(16);
  expect([size("color.png"), size("outline.png")]).toEqual([192, 32]);
});

it.each(["", "not-a-uuid"])("refuses the registration %j", (id) => {
  expect(() => teamsManifest(teamsConfig({}), "https://q.example", id)).toThrow(/UUID/);
});
