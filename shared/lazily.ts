/** Something made when it is first needed. Schemas are: making all of them is a good part of the Worker's start. */
export function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
