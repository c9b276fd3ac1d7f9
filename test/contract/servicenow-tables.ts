import type { ServiceNowStub } from "../stubs/servicenow.ts";
import { PEOPLE_SQL } from "./source-sql.ts";

/** The contract's tables, as a configuration names them. */
export const TABLES = {
  people: { fields: ["id", "name", "note"] },
  many: { fields: ["n"] },
  empty: { fields: ["id"] },
  stamped: { fields: ["id", "at", "day", "word"] },
  blank: { fields: ["id", "at", "day", "word"] },
};

/** Fills the stub with the contract's tables, and with incidents that extend tasks. */
export async function defineTables(stub: ServiceNowStub): Promise<void> {
  await stub.define({
    name: "people",
    fields: { id: { type: "integer" }, name: { type: "string" }, note: { type: "string" } },
    records: PEOPLE_SQL,
  });
  await stub.define({
    name: "many",
    fields: { n: { type: "integer" } },
    records: "SELECT range AS n, md5(CAST(range AS VARCHAR)) AS sys_id FROM range(5000)",
  });
  const stamped = `SELECT * FROM (VALUES ('1', '2026-03-01 10:00:00', '2026-02-28', 'M'),
    ('2', '2026-03-01 10:00:01', '2026-03-01', 'O''x\\y^z,'), ('3', '2026-03-01 10:00:01', '2026-03-01', 'O''x\\y^z,'),
    ('4', '2026-03-01 10:00:02', '2026-03-02', 'x=y'), ('5', '', '', ''), ('6', '2026-03-01 11:00:00', '2026-12-31', 'Z')
  ) AS t(id, "at", day, word)`;
  const fields = {
    id: { type: "integer" },
    at: { type: "glide_date_time" },
    day: { type: "glide_date" },
    word: { type: "string" },
  };
  await stub.define({ name: "stamped", fields, records: stamped });
  await stub.define({ name: "blank", fields, records: `${stamped} WHERE false` });
  await stub.define({
    name: "empty",
    fields: { id: { type: "integer" } },
    records: "SELECT 1 AS id WHERE false",
  });
  await stub.define({
    name: "task",
    label: "Task",
    fields: {
      number: { type: "string", label: "Number", mandatory: true },
      state: { type: "integer", label: "State", choice: true },
      assigned_to: { type: "reference", label: "Assigned to" },
      active: { type: "boolean", label: "Active" },
      comments: { type: "journal_input", label: "Additional comments" },
      sys_updated_on: { type: "glide_date_time", label: "Updated" },
    },
  });
  await stub.define({
    name: "incident",
    label: "Incident",
    extends: "task",
    fields: {
      number: { type: "string", label: "Incident number" },
      description: { type: "string", label: "Description" },
      resolved_on: { type: "glide_date", label: "Resolved" },
    },
    records: `SELECT id AS sys_id, * EXCLUDE (id) FROM (VALUES
      ('b1', 'INC0001', '2', 'In Progress', '0a1', 'Odile Marchepont', 'true', '', '2026-11-20 10:00:00 - Odile: called',
        '2026-11-20 10:00:05', concat('line 1', chr(10), 'a', chr(0), 'b'), '2024-02-29'),
      ('b2', 'INC0002', '7', 'Closed', '', '', 'false', '', '', '2026-11-20 11:00:00', '', '')
    ) AS t(id, number, state, dv_state, assigned_to, dv_assigned_to, active, comments, dv_comments, sys_updated_on,
      description, resolved_on)`,
  });
}
