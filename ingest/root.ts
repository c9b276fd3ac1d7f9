/** The repository, as a URL that ends in a slash. This module stays one folder below it, in the sources and in the bundle. */
export const root = new URL("../", import.meta.url);
