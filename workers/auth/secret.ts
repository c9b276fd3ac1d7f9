/** What the credentials that are secrets share: digests, and comparison in constant time. */

/** Compares digests, so that neither content nor length shows in the time it takes. */
export async function sameText(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([sha256(a), sha256(b)]);
  return crypto.subtle.timingSafeEqual(first, second);
}

export function sha256(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}
