/** wrangler, miniflare and the test pool all give an import of a .wasm file as a compiled module. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
