import { checkFaults } from "./faults-provider.ts";

/** Modes of many megabytes: where they end is decided once for each framing. */
const LARGE = ["gzip_bomb", "json_huge"];
/** One provider of each framing: server-sent events, and Amazon's event stream. */
const FRAMINGS = ["openai, chat", "bedrock"];

checkFaults((mode, all) => (LARGE.includes(mode) ? all.filter(({ name }) => FRAMINGS.includes(name)) : all));
