import { encodePart, rowId } from "../../shared/ids.ts";
import { classOf, labelOf } from "../../shared/policy.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { EvidenceCell } from "../../shared/ports/evidence.ts";
import type { AccessClass } from "../../shared/ports/registry.ts";
import type { Cell, Row } from "../../shared/ports/source.ts";
import { makeHasher } from "../../shared/sha256.ts";
import { cellText, cleanCell, readable, type Tally } from "./cells.ts";
import type { Names } from "./lookup.ts";
import type { ColumnPlan, OpenTable, ViewPlan } from "./table.ts";

/** Why a row is held back. */
export type Reason =
  | "null_key"
  | "duplicate_key"
  | "unreadable_cell"
  | "label_not_computable"
  | "empty_row"
  | "too_large";

/** A row that was held back: never published, and taken out where an earlier version was. */
export interface Failure {
  readonly table: string;
  /** The key in text form, as far as it could be read; at most 200 characters. */
  readonly key: string;
  readonly reason: Reason;
}

/** A row as far as it must be known to tell whether it changed. Rendering, cutting and embedding wait for that. */
export interface PreparedRow {
  /** `<table>:<key>` */
  readonly row: string;
  /** The key in text form. */
  readonly key: string;
  readonly views: readonly PreparedView[];
}

export interface PreparedView {
  readonly plan: ViewPlan;
  readonly accessClass: AccessClass;
  readonly version: string;
  /** Visible cells in column order, nulls left out, masks applied, foreign keys followed by their name. */
  readonly cells: readonly EvidenceCell[];
  /** UTF-8 bytes of the cells as JSON, about. */
  readonly bytes: number;
}

/** Turns rows of one table into prepared ones. */
export interface RowReader {
  /** @throws QuaysideError `too_many_labels`. Whatever is wrong with the row itself is a Failure. */
  prepare(row: Row): Promise<PreparedRow | Failure>;
}

/** Most access classes that one run may make; a label with a person in it makes one for each person. */
export const MAX_CLASSES = 20_000;

/**
 * Largest row, as JSON: with its text in chunks, their lexical fields and vectors beside the cells, the staged row stays
 * within what one request to the registry may carry.
 */
export const MAX_ROW_BYTES = 512 * 1024;

/** Longest row id that the registry takes, in UTF-16 units. */
const MAX_ROW_ID = 8192;

export interface RowReaderOptions {
  readonly table: OpenTable;
  /** Names for each of the table's lookups, in their order. */
  readonly names: readonly Names[];
  readonly tally: Tally;
  /** Keys the `hash` mask; undefined where no column needs it. */
  readonly maskKey: string | undefined;
  /** Classes made so far in this run, by canonical label; shared by its tables. */
  readonly classes: Map<string, AccessClass>;
}

/** @throws QuaysideError `config_invalid` when a column is masked by hash and there is no key. */
export function makeRowReader(options: RowReaderOptions): RowReader {
  const { table, names, tally, maskKey, classes } = options;
  const hasher = makeHasher();
  const keyMasks = table.config.key.map((name) => table.config.columns?.[name]?.mask);
  if (keyMasks.includes("redact")) {
    throw new QuaysideError(
      "config_invalid",
      `tables.${table.name} redacts a key column, which would make its rows one; mask it by hash instead.`,
    );
  }
  const masks = [...keyMasks, ...table.views.flatMap((v) => v.columns).map((c) => c.mask)].includes("hash");
  if (masks && maskKey === undefined) {
    throw new QuaysideError(
      "config_invalid",
      `tables.${table.name} masks a column by hash: set the secret QUAYSIDE_MASK_KEY to a random string.`,
    );
  }
  const views = table.views.map((plan) => {
    const sorted = plan.columns.map((_, i) => i);
    sorted.sort((a, b) => ((plan.columns[a]?.name ?? "") < (plan.columns[b]?.name ?? "") ? -1 : 1));
    const stamps = plan.columns.map((column) => hasher.hash128(column.fingerprint));
    return { plan, sorted, stamps, stamp: hasher.hash128(plan.fingerprint) };
  });
  const lookups = new Map(table.lookups.map((plan, i) => [plan.column, { plan, names: names[i] }]));

  const mask = (how: ColumnPlan["mask"], cell: Cell): Cell => {
    if (cell === null || how === undefined) return cell;
    if (how === "redact") return "[redacted]";
    const inner = hasher.hash128(`${maskKey ?? ""}\u0000${cellText(cell)}`);
    return hasher.hash128(`${maskKey ?? ""}\u0001${inner}`);
  };
  /** Bytes are of no use in a text, and large: their digest tells two of them apart. */
  const digest = (cell: Cell): Cell =>
    typeof cell === "string" ? `sha256:${hasher.hash128(cell)}, ${base64Bytes(cell)} bytes` : cell;

  const classFor = async (view: ViewPlan, row: Row): Promise<AccessClass | undefined> => {
    const label = labelOf(view.access, row);
    if (!label) return undefined;
    const id = JSON.stringify([label, view.classification]);
    const known = classes.get(id);
    if (known) return known;
    if (classes.size >= MAX_CLASSES) {
      throw new QuaysideError(
        "too_many_labels",
        `The access rules make more than ${MAX_CLASSES} different labels; grant to groups instead of single values.`,
      );
    }
    const made = await classOf(label, view.classification);
    classes.set(id, made);
    return made;
  };

  return {
    async prepare(raw) {
      const clean: Record<string, Cell> = {};
      let readableRow = true;
      for (const { name } of table.shape.columns) {
        const cell = cleanCell(raw[name] ?? null, tally);
        if (cell === undefined) readableRow = false;
        // A column may be called __proto__: assigning it would set the prototype instead.
        else if (name === "__proto__") Object.defineProperty(clean, name, { value: cell, enumerable: true });
        else clean[name] = cell;
      }
      const keyCells = table.config.key.map((name, i) => mask(keyMasks[i], clean[name] ?? null));
      const keyTexts = keyCells.map(cellText);
      const key = keyTexts.map(encodePart).join("|");
      const fail = (reason: Reason): Failure => ({ table: table.name, key: key.slice(0, 200), reason });
      if (!readableRow) return fail("unreadable_cell");
      if (keyCells.includes(null)) return fail("null_key");
      const row = rowId(table.name, keyTexts);
      if (row.length > MAX_ROW_ID) return fail("too_large");

      const prepared: PreparedView[] = [];
      for (const { plan, sorted, stamps, stamp } of views) {
        const accessClass = await classFor(plan, clean);
        if (!accessClass) return fail("label_not_computable");
        const values = plan.columns.map((column) => {
          const cell = mask(column.mask, clean[column.name] ?? null);
          return column.type === "binary" && column.mask === undefined ? digest(cell) : cell;
        });
        const labels = plan.columns.map((column, i) => {
          const lookup = lookups.get(column.name);
          return lookup ? lookup.names?.get(cellText(values[i] ?? null)) : undefined;
        });
        const hashed: unknown[] = [stamp, row, accessClass.id];
        // In the order of names and without nulls: a warehouse that reorders columns or adds empty ones changes nothing.
        for (const i of sorted) {
          if (values[i] === null) continue;
          hashed.push(stamps[i], values[i]);
          if (labels[i] !== undefined) hashed.push(labels[i]);
        }
        const version = hasher.hash128(JSON.stringify(hashed));
        const bytes = hasher.bytes;
        if (bytes > MAX_ROW_BYTES) return fail("too_large");
        const cells: EvidenceCell[] = [];
        for (const [i, column] of plan.columns.entries()) {
          const value = values[i] ?? null;
          if (value === null) continue;
          cells.push({ column: column.name, value });
          const name = labels[i];
          const as = lookups.get(column.name)?.plan.as;
          if (name !== undefined && as !== undefined) cells.push({ column: as, value: name });
        }
        // A view that says nothing of this row is left out; its empty record could only mislead.
        const says = plan.columns.some((c, i) => readable(values[i] ?? null, c.type) !== "");
        if (says) prepared.push({ plan, accessClass, version, cells, bytes });
      }
      if (prepared.length === 0) return fail("empty_row");
      return { row, key, views: prepared };
    },
  };
}

export function isFailure(prepared: PreparedRow | Failure): prepared is Failure {
  return "reason" in prepared;
}

function base64Bytes(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return Math.max(0, (text.length / 4) * 3 - padding);
}
