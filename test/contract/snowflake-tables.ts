import { SNOWFLAKE_STUB, SNOWFLAKE_STUB_KEY, type SnowflakeStub } from "../stubs/snowflake.ts";
import { PEOPLE_SQL } from "./source-sql.ts";
import { STAMPED_SQL } from "./source.ts";

/** The secrets of a source that signs in at the stub by key pair. */
export const keyPair = (stub: SnowflakeStub): Record<string, string> => ({
  SNOWFLAKE_ACCOUNT: SNOWFLAKE_STUB.account,
  SNOWFLAKE_USER: SNOWFLAKE_STUB.user,
  SNOWFLAKE_ROLE: SNOWFLAKE_STUB.role,
  SNOWFLAKE_WAREHOUSE: SNOWFLAKE_STUB.warehouse,
  SNOWFLAKE_PRIVATE_KEY: SNOWFLAKE_STUB_KEY,
  SNOWFLAKE_BASE_URL: stub.url,
});

/** Fills the stub with the contract's tables. */
export async function fillTables(stub: SnowflakeStub): Promise<void> {
  await stub.warehouse.run(`CREATE TABLE "ACME"."PUBLIC".people AS ${PEOPLE_SQL}`);
  const nano = `strftime("changed at", '%Y-%m-%d %H:%M:%S.%f789')::TIMESTAMP_NS AS nano`;
  await stub.warehouse.run(`CREATE TABLE "ACME"."PUBLIC".stamped AS SELECT *, ${nano} FROM (${STAMPED_SQL})`);
  await stub.warehouse.run(`CREATE TABLE "ACME"."PUBLIC".many AS SELECT range AS n FROM range(5000)`);
  await stub.warehouse.run(`CREATE TABLE "ACME"."PUBLIC".empty (id INTEGER)`);
}
