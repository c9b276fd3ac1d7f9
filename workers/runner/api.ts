import type { Found } from "../tenant/api.ts";

/** What the Worker asks of a tenant's runner. */
export interface RunnerApi {
  /** Looks for work soon. Harmless when repeated. */
  wake(tenant: string): Promise<void>;
  /** Takes out of what it has written down whatever names a row that is erased, and counts what still does (0). */
  forget(row: string): Promise<Found>;
}
