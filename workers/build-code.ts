import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

/** The repository; one folder above, in the sources and in the CLI's bundle. */
const root = new URL("../", import.meta.url);

/** Where everything lies that what is read of a table passes through, and the packages that it is read by. */
const FOLDERS = ["shared/", "ingest/pipeline/", "ingest/sources/"];
const PACKAGES = ["package.json", "package-lock.json"];

/** 43 characters. Any change makes another, so that no run takes rows for what new code would make of them. */
export function digestOfSources(): string {
  const hash = createHash("sha256");
  const sources = FOLDERS.flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => folder + name.replaceAll("\\", "/")),
  );
  for (const path of [...sources.sort(), ...PACKAGES]) {
    const contents = readFileSync(new URL(path, root));
    hash.update(`${path} ${contents.byteLength}\n`).update(contents);
  }
  return hash.digest("base64url");
}
