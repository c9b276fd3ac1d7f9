import { fileURLToPath } from "node:url";
import description from "../../../package.json" with { type: "json" };

/** The CLI as `npm run quayside` starts it: Node's flags, and the program. */
const [, ...args] = description.scripts.quayside.split(" ");
export const FLAGS: readonly string[] = args.slice(0, -1);
export const PROGRAM = fileURLToPath(new URL(`../../../${args.at(-1) ?? ""}`, import.meta.url));
