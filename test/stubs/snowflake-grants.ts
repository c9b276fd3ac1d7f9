import type { Submitted } from "./snowflake.ts";

/**
 * What a role may do by GRANT statements: https://docs.snowflake.com/en/user-guide/security-access-control-privileges. A table
 * is reached with USAGE on its database and schema and SELECT on it; the information schema lists only such tables.
 */
export interface Grants {
  /** Snowflake's error; undefined when the statement may run. */
  refusal(submitted: Submitted): { readonly code: string; readonly message: string } | undefined;
  /** Whether what the information schema is asked about may be listed. */
  lists(submitted: Submitted): boolean;
}

/** @param statements `GRANT … ON … TO ROLE …`, `GRANT ROLE … TO USER …`; others grant nothing. */
export function grantsOf(statements: readonly string[]): Grants {
  const has = (role: string | undefined, privilege: string, object: string): boolean =>
    statements.includes(`GRANT ${privilege} ON ${object} TO ROLE ${role}`);
  const reaches = (role: string | undefined, schema: string, table: string): boolean =>
    has(role, "USAGE", "DATABASE ACME") &&
    has(role, "USAGE", `SCHEMA ACME.${schema}`) &&
    has(role, "SELECT", `TABLE ACME.${schema}.${table}`);
  return {
    refusal({ role, warehouse, statement }) {
      if (!statements.includes(`GRANT ROLE ${role} TO USER QUAYSIDE`))
        return { code: "390189", message: `Role '${role}' is not granted to this user.` };
      if (!has(role, "USAGE", `WAREHOUSE ${warehouse}`))
        return { code: "000606", message: "No active warehouse selected in the current session." };
      const tables = [...statement.matchAll(/"ACME"\."([^"]+)"\."([^"]+)"/g)];
      const hidden =
        !has(role, "USAGE", "DATABASE ACME") ||
        tables.some(([, schema = "", table = ""]) => !reaches(role, schema, table));
      return hidden ? { code: "002003", message: "does not exist or not authorized." } : undefined;
    },
    lists({ role, bindings = {} }) {
      const asked = Object.values(bindings).map(({ value }) => value.toUpperCase());
      return asked.some((table) => asked.some((schema) => reaches(role, schema, table)));
    },
  };
}
