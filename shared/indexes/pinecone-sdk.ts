/**
 * The parts of Pinecone's SDK that the index needs. The package is CommonJS: imported dynamically by its own name, a bundler
 * that splits modules hands over its `default` only; through this module the names are real exports.
 */
export { Index, Pinecone } from "@pinecone-database/pinecone";
