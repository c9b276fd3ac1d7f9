/**
 * The parts of Pinecone's SDK that the index needs. The package is CommonJS: imported dynamically by its own name, a bundler
 * that splits modules hands over its `default` only; through this module the names are real exports. Loaded as a whole it is
 * nearly twice the bytes, most of them of products that are not used here, and workerd compiles them at every start.
 */
export { indexOperationsBuilder } from "@pinecone-database/pinecone/dist/control/indexOperationsBuilder.js";
export { describeIndex } from "@pinecone-database/pinecone/dist/control/indexes/describeIndex.js";
export { Index } from "@pinecone-database/pinecone/dist/data/index.js";
