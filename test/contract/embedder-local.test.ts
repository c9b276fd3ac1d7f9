import { localEmbedder } from "../../shared/embedders/local.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { embedderContract } from "./embedder.ts";

embedderContract("local", () => Promise.resolve(localEmbedder({}, secretHost({}))));
