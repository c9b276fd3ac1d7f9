import { parseId } from "../../shared/ids.ts";
import { memoryRegistry } from "../fakes/memory-registry.ts";
import { registryContract } from "./registry.ts";

registryContract("in memory (the fake)", async () => {
  const registry = memoryRegistry();
  return {
    registry,
    tenant: "default",
    served: async (row) =>
      registry.served(parseId(row)?.table ?? "").find((staged) => staged.row === row)?.chunks[0]?.text,
  };
});
