/** RFC 3454, C.1.2. */
const SPACES = /[\u00A0\u1680\u2000-\u200B\u202F\u205F\u3000]/g;
/** RFC 3454, B.1, but for U+200B, which is a space before it is nothing. */
const NOTHINGS = /\u00AD|\u034F|\u1806|[\u180B-\u180D]|\u200C|\u200D|\u2060|[\uFE00-\uFE0F]|\uFEFF/g;

/**
 * A password as SCRAM takes it: SASLprep (RFC 4013), as Postgres does it, which is the form in which the server keeps it. A
 * password that SASLprep forbids is kept as it is, so one of the two forms is right; which, only the server can say.
 */
export function saslPrepared(password: string): string {
  return password.replace(SPACES, " ").replace(NOTHINGS, "").normalize("NFKC");
}
