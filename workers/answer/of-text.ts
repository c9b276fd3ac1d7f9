/**
 * A function of nothing but a text, whose results are kept: questions meet the same passages and cells again and again, and to take
 * them apart costs more than to look them up. Whoever asks has the text, so a result tells nobody anything.
 * @param most characters of texts, beyond which all are forgotten; a longer text is never kept.
 */
export function ofText<T extends object>(most: number, make: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  let length = 0;
  return (text) => {
    const before = known.get(text);
    if (before) return before;
    const made = make(text);
    if (text.length > most) return made;
    if (length + text.length > most) {
      known.clear();
      length = 0;
    }
    length += text.length;
    known.set(text, made);
    return made;
  };
}
