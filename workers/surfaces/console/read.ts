/** Forgiving readers of JSON: what is missing or of another type becomes an empty value. */

type Json = Readonly<Record<string, unknown>>;

const isObject = (x: unknown): x is Json => typeof x === "object" && x !== null && !Array.isArray(x);
export const object = (x: unknown): Json => (isObject(x) ? x : {});
export const list = (x: unknown): readonly unknown[] => (Array.isArray(x) ? x : []);
export const text = (x: unknown): string =>
  typeof x === "string" ? x : typeof x === "number" ? String(x) : "";
export const number = (x: unknown): number => (typeof x === "number" && Number.isFinite(x) ? x : 0);
export const maybe = (x: unknown): number | undefined => (typeof x === "number" ? x : undefined);
