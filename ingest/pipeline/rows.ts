import type { PersonalKind } from "../../shared/config.ts";
import { rowId, shownKey } from "../../shared/ids.ts";
import { classOf, labelOf } from "../../shared/policy.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { EvidenceCell } from "../../shared/ports/evidence.ts";
import type { AccessClass, HeldBack } from "../../shared/ports/registry.ts";
import type { Cell, Row } from "../../shared/ports/source.ts";
import { makeHasher, type Hasher } from "../../shared/sha256.ts";
import { cellText, cleanCell, readable, type Tally } from "./cells.ts";
import type { Names } from "./lookup.ts";
import { redactCell, redactText } from "./redact.ts";
import { columnsOfRule, type ColumnPlan, type OpenTable, type ViewPlan } from "./table.ts";

/** Why a row is held back. */
export type Reason =
  | "null_key"
  | "duplicate_key"
  | "unreadable_cell"
  | "label_not_computable"
  | "empty_row"
  | "too_large"
  /** The embedder has no vector for one of its texts, however short the chunks. */
  | "not_embeddable";

export interface Failure extends HeldBack {
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
  /** The view's cells, in its column order, masks applied. */
  readonly values: readonly Cell[];
  /** What each of them is looked up as; undefined where nothing is. */
  readonly labels: readonly (string | undefined)[];
  /** UTF-8 bytes of the cells as JSON, about. */
  readonly bytes: number;
}

/** The cells as they are stored: in column order, nulls left out, foreign keys followed by the name that they stand for. */
export function storedCells(view: PreparedView): readonly EvidenceCell[] {
  const cells: EvidenceCell[] = [];
  for (const [i, column] of view.plan.columns.entries()) {
    const value = view.values[i] ?? null;
    if (value === null) continue;
    cells.push({ column: column.name, value });
    const label = view.labels[i];
    if (label !== undefined && column.lookup) cells.push({ column: column.lookup.as, value: label });
  }
  return cells;
}

/** Turns rows of one table into prepared ones. */
export interface RowReader {
  /** The row that a key stands for; all else of the row may be missing. */
  identify(row: Row): Pick<PreparedRow, "row" | "key"> | Failure;
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
  /** Keys the masks `hash` and `tokenise`; undefined where no column needs it. */
  readonly maskKey: string | undefined;
  /** See `IngestDeps.hasher`. */
  readonly hasher?: Hasher;
  /** Classes made so far in this run, by canonical label; shared by its tables. */
  readonly classes: Map<string, AccessClass>;
}

/** @throws QuaysideError `config_invalid` when a column is masked by hash or tokenised and there is no key. */
export function makeRowReader(options: RowReaderOptions): RowReader {
  const { table, names, tally, maskKey, classes } = options;
  const { hasher = makeHasher() } = options;
  const keyMasks = table.config.key.map((name) => {
    const { mask, token } = table.config.columns?.[name] ?? {};
    return { mask, token };
  });
  if (keyMasks.some(({ mask }) => mask === "redact")) {
    throw new QuaysideError(
      "config_invalid",
      `tables.${table.name} redacts a key column, which would make its rows one; mask it by hash instead.`,
    );
  }
  const masks = [...keyMasks, ...table.views.flatMap((v) => v.columns)].map(({ mask }) => mask);
  if ((masks.includes("hash") || masks.includes("tokenise")) && maskKey === undefined) {
    throw new QuaysideError(
      "config_invalid",
      `tables.${table.name} masks a column by a keyed hash: set the secret QUAYSIDE_MASK_KEY to a random string.`,
    );
  }
  const columns = table.shape.columns.map((column) => column.name);
  const at = (name: string): number => columns.indexOf(name);
  const keyAt = table.config.key.map(at);
  const views = table.views.map((plan) => {
    const sorted = plan.columns.map((_, i) => i);
    sorted.sort((a, b) => ((plan.columns[a]?.name ?? "") < (plan.columns[b]?.name ?? "") ? -1 : 1));
    return {
      plan,
      sorted,
      from: plan.columns.map((column) => at(column.name)),
      // Enough to tell configurations of one column apart.
      stamps: plan.columns.map((column) => hasher.hash128(column.fingerprint).slice(0, 8)),
      stamp: hasher.hash128(plan.fingerprint),
      names: plan.columns.map((column) =>
        column.lookup ? names[table.lookups.indexOf(column.lookup)] : undefined,
      ),
      policyAt: columnsOfRule(plan.access).map((name) => ({ name, index: at(name) })),
      classByValues: new Map<string, AccessClass>(),
    };
  });

  const keyedHash = (text: string): string => {
    const inner = hasher.hash128(`${maskKey ?? ""}\u0000${text}`);
    return hasher.hash128(`${maskKey ?? ""}\u0001${inner}`);
  };
  const mask = ({ mask: how, token = "token" }: Pick<ColumnPlan, "mask" | "token">, cell: Cell): Cell => {
    if (cell === null || how === undefined) return cell;
    if (how === "redact") return "[redacted]";
    if (how === "hash") return keyedHash(cellText(cell));
    // Letters and digits of one case, which a search takes for one word; 16 of them are some 80 bits.
    const letters = keyedHash(`${token}\u0000${cellText(cell)}`)
      .replace(/[-_]/g, "")
      .toLowerCase();
    return `${token}_${letters.slice(0, 16)}`;
  };
  const count = (kind: PersonalKind): void =>
    void tally.redacted?.set(kind, (tally.redacted.get(kind) ?? 0) + 1);
  const rules = new Map(
    table.views.flatMap((view) =>
      view.columns
        .filter(({ redact }) => redact.length > 0)
        .map(({ name, redact }) => [at(name), redact] as const),
    ),
  );
  /** A row that is too large is refused, so nothing is looked for in it. */
  const redacted = (cells: readonly Cell[]): readonly Cell[] =>
    rules.size === 0
      ? cells
      : cells.map((cell, i) => {
          const kinds = rules.get(i);
          const vast = typeof cell === "string" && cell.length > MAX_ROW_BYTES;
          return kinds && !vast ? redactCell(cell, kinds, count) : cell;
        });
  /** Bytes are of no use in a text, and large: their digest tells two of them apart. */
  const digest = (cell: Cell): Cell =>
    typeof cell === "string" ? `sha256:${hasher.hash128(cell)}, ${base64Bytes(cell)} bytes` : cell;

  const makeClass = async (view: ViewPlan, row: Row): Promise<AccessClass | undefined> => {
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
  /** The class follows from the few cells that the rule names: most rows share them with rows before. */
  const classFor = async (
    view: (typeof views)[number],
    cells: readonly Cell[],
  ): Promise<AccessClass | undefined> => {
    let id = "";
    for (const { index } of view.policyAt) id += `${JSON.stringify(cells[index] ?? null)},`;
    const known = view.classByValues.get(id);
    if (known) return known;
    const row = Object.fromEntries(view.policyAt.map(({ name, index }) => [name, cells[index] ?? null]));
    const made = await makeClass(view.plan, row);
    if (view.classByValues.size > MAX_CLASSES) view.classByValues.clear();
    if (made) view.classByValues.set(id, made);
    return made;
  };

  const cleanIn = (raw: Row, name: string): Cell | undefined =>
    cleanCell(without(table.unmappedFields.get(name), raw[name] ?? null), tally);
  /** @param whole whether every cell could be read. */
  const identified = (
    own: readonly Cell[],
    whole: boolean,
  ): { readonly row: string; readonly key: string; readonly failure: Failure | undefined } => {
    const keyCells = own.map((cell, i) => mask(keyMasks[i] ?? NO_MASK, cell));
    const row = rowId(table.name, keyCells.map(cellText));
    const key = row.slice(row.indexOf(":") + 1);
    const unusable = keyCells.includes(null) ? "null_key" : row.length > MAX_ROW_ID ? "too_large" : undefined;
    const reason = whole ? unusable : "unreadable_cell";
    return { row, key, failure: reason && { table: table.name, key: shownKey(row), reason } };
  };

  return {
    identify(raw) {
      const cells = table.config.key.map((name) => cleanIn(raw, name));
      const own = cells.map((cell) => cell ?? null);
      const { row, key, failure } = identified(own, !cells.includes(undefined));
      return failure ?? { row, key };
    },

    async prepare(raw) {
      let whole = true;
      const cells: Cell[] = [];
      for (const name of columns) {
        const cell = cleanIn(raw, name);
        if (cell === undefined) whole = false;
        cells.push(cell ?? null);
      }
      const own = keyAt.map((index) => cells[index] ?? null);
      const { row, key, failure } = identified(own, whole);
      if (failure) return failure;
      const fail = (reason: Reason): Failure => ({ table: table.name, key: shownKey(row), reason });

      const shown = redacted(cells);
      const prepared: PreparedView[] = [];
      for (const view of views) {
        const { plan, stamps } = view;
        const accessClass = await classFor(view, cells);
        if (!accessClass) return fail("label_not_computable");
        const values: Cell[] = [];
        const labels: (string | undefined)[] = [];
        let says = false;
        for (const [i, column] of plan.columns.entries()) {
          const own = shown[view.from[i] ?? 0] ?? null;
          const masked = column.mask === undefined ? own : mask(column, own);
          const value = column.type === "binary" && column.mask === undefined ? digest(masked) : masked;
          values.push(value);
          // By the key as it came: a key that looks like a phone number still names its row.
          const name = view.names[i]?.get(cellText(cells[view.from[i] ?? 0] ?? null));
          const hide = column.lookup?.redact;
          labels.push(name !== undefined && hide ? redactText(name, hide, count) : name);
          says ||= readable(value, column.type) !== "";
        }
        // A view that says nothing of this row is left out; its empty record could only mislead.
        if (!says) continue;
        const hashed: unknown[] = [view.stamp, row, accessClass.id];
        // In the order of names and without nulls: a warehouse that reorders columns or adds empty ones changes nothing.
        for (const i of view.sorted) {
          if (values[i] === null) continue;
          hashed.push(stamps[i], values[i]);
          if (labels[i] !== undefined) hashed.push(labels[i]);
        }
        const version = hasher.hash128(JSON.stringify(hashed));
        if (hasher.bytes > MAX_ROW_BYTES) return fail("too_large");
        prepared.push({ plan, accessClass, version, values, labels, bytes: hasher.bytes });
      }
      if (prepared.length === 0) return fail("empty_row");
      return { row, key, views: prepared };
    },
  };
}

/** A record without these of its fields. */
function without(fields: readonly string[] | undefined, cell: Cell): Cell {
  if (!fields || typeof cell !== "object" || cell === null || Array.isArray(cell)) return cell;
  return Object.fromEntries(Object.entries(cell).filter(([name]) => !fields.includes(name)));
}

const NO_MASK = { mask: undefined, token: undefined };

export function isFailure(prepared: Pick<PreparedRow, "row"> | Failure): prepared is Failure {
  return "reason" in prepared;
}

function base64Bytes(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return Math.max(0, (text.length / 4) * 3 - padding);
}
