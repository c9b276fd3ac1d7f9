/** Whether the Worker is there; of nothing that it needs. In a file of its own: the front has it, and nothing else. */
export const HEALTH_PATH = "/healthz";

export function health(): Response {
  return Response.json({ status: "ok" });
}
