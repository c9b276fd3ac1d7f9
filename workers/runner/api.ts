/** What the Worker asks of a tenant's runner. */
export interface RunnerApi {
  /** Looks for work soon. Harmless when repeated. */
  wake(tenant: string): Promise<void>;
}
