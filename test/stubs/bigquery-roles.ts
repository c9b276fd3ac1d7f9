/** What a service account was granted. */
export interface Roles {
  readonly project: readonly string[];
  /** By table. */
  readonly tables: Readonly<Record<string, readonly string[]>>;
}

/** What of each role the calls of a source need: https://cloud.google.com/bigquery/docs/access-control. */
const PERMISSIONS: Readonly<Record<string, readonly string[]>> = {
  "roles/bigquery.jobUser": ["bigquery.jobs.create"],
  "roles/bigquery.dataViewer": ["bigquery.tables.get", "bigquery.tables.getData"],
};

/** @param roles undefined for an account that may do everything. */
export function allows(roles: Roles | undefined, permission: string, table = ""): boolean {
  if (roles === undefined) return true;
  const held = [...roles.project, ...(roles.tables[table] ?? [])];
  return held.some((role) => PERMISSIONS[role]?.includes(permission));
}
