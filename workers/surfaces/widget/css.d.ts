/** Read as text at build time. */
declare module "*.css" {
  const text: string;
  export default text;
}
