/**
 * Something made when it is first needed. Schemas are: making all of them is a good part of the Worker's start. So are patterns with
 * `\p{…}`: V8 builds their sets of characters when it compiles a module, and again when it runs it.
 */
/* @__NO_SIDE_EFFECTS__ -- a bundler drops what nothing asks for */
export function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** A function of nothing but an object that does not change, worked out once for as long as there is one. */
export function ofObject<K extends object, T>(make: (object: K) => T): (object: K) => T {
  const known = new WeakMap<K, T>();
  return (object) => {
    const before = known.get(object);
    if (before !== undefined) return before;
    const made = make(object);
    known.set(object, made);
    return made;
  };
}
