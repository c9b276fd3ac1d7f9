/** Text as patterns read it, and where each UTF-16 unit of it came from; without offsets it is the text itself. */
export interface Folded {
  readonly text: string;
  /** For each unit: the offset at which its character starts in the original, and the one at which it ends. */
  readonly starts: Uint32Array | undefined;
  readonly ends: Uint32Array | undefined;
}

/** Printable ASCII, tabs and line ends: nothing to fold. */
const PLAIN = /^[\t\n\r\x20-\x7e]*$/;

/**
 * Compatibility-normalised (NFKC) character by character, invisible characters left out, every hyphen a `-`, every blank a
 * space. A letter and its combining accent stay two characters, which no pattern here minds.
 */
export function fold(text: string): Folded {
  if (PLAIN.test(text)) return { text, starts: undefined, ends: undefined };
  let folded = "";
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  for (const character of text) {
    const end = at + character.length;
    const units = plain(character);
    for (let i = 0; i < units.length; i++) {
      starts.push(at);
      ends.push(end);
    }
    folded += units;
    at = end;
  }
  return { text: folded, starts: Uint32Array.from(starts), ends: Uint32Array.from(ends) };
}

function plain(character: string): string {
  if (character <= "~") return character;
  if (/\p{Cf}|\u034F|[\uFE00-\uFE0F]/u.test(character)) return "";
  if (/\p{Pd}|\u2212/u.test(character)) return "-";
  if (/\p{Zs}/u.test(character)) return " ";
  return character.normalize("NFKC");
}
