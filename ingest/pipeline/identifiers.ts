/** Whether digits that look like a card, an account, an address or a phone number are one. */

/** Issuer and lengths of the card networks (ISO/IEC 7812 ranges as the networks publish them, 2026-11). */
const NETWORKS: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^3(?:0[0-5]|09|[68-9])/, [14, 16, 17, 18, 19]],
  [/^35(?:2[89]|[3-8])/, [16, 17, 18, 19]],
  [/^(?:6011|64[4-9]|65|60|81|82)/, [16, 17, 18, 19]],
  [/^62/, [16, 17, 18, 19]],
  [/^(?:5018|5020|5038|5893|6304|6759|676[1-3])/, [12, 13, 14, 15, 16, 17, 18, 19]],
];

/** @param groups digits as they are written, in one piece or as cards print them: fours, or 4-6-5 and 4-6-4. */
export function isCard(groups: readonly string[]): boolean {
  const lengths = groups.map((group) => group.length);
  const printed =
    groups.length === 1 ||
    /^4,6,[45]$/.test(lengths.join(",")) ||
    (lengths.slice(0, -1).every((length) => length === 4) && (lengths.at(-1) ?? 0) <= 4);
  const digits = groups.join("");
  return (
    printed &&
    NETWORKS.some(([issuer, sizes]) => sizes.includes(digits.length) && issuer.test(digits)) &&
    luhn(digits)
  );
}

function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Lengths of account numbers by country (SWIFT, "IBAN Registry", release of 2025-10). */
const IBAN_LENGTHS =
  "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

/** The offset after the account number that starts at `start`; undefined when its country, length or check digits are wrong. */
export function isIban(text: string, start: number): number | undefined {
  const country = text.slice(start, start + 2).toUpperCase();
  const length = Number(new RegExp(`\\b${country}(\\d{2})\\b`).exec(IBAN_LENGTHS)?.[1] ?? 0);
  let characters = "";
  let at = start;
  while (characters.length < length && at < text.length) {
    const character = text[at] ?? "";
    if (/[A-Za-z0-9]/.test(character)) characters += character.toUpperCase();
    else if (!/[ -]/.test(character) || !/[A-Za-z0-9]/.test(text[at + 1] ?? "")) break;
    at += 1;
  }
  if (length === 0 || characters.length < length || /[A-Za-z0-9]/.test(text[at] ?? "")) return undefined;
  let rest = 0;
  for (const character of characters.slice(4) + characters.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1 ? at : undefined;
}

/** IPv4 or IPv6 of somebody: not this host, not the empty address. */
export function isIp(address: string): boolean {
  if (address.includes(":")) return isIpv6(address);
  const parts = address.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    return false;
  }
  return parts[0] !== "0" && parts[0] !== "127" && parts[0] !== "255";
}

function isIpv6(address: string): boolean {
  const halves = address.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  if (!groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return false;
  // Two groups around `::` are as likely code as an address.
  return halves.length === 2 ? groups.length >= 3 && groups.length <= 7 : groups.length === 8;
}

/** Words after which digits in one piece are a phone number. */
const ANNOUNCED =
  /(?:\b(?:phone|tel|t[eé]l[eé]phone|telephone|mobile|cell|fax|call|ring|dial|text|sms|whatsapp|portable|appele[rz]|contact)\b|[☎📞])[^\d]{0,16}$/iu;

/** Country calling codes (ITU-T E.164); 1 is followed by an area code, which starts with 2 to 9. */
const CALLING =
  /^(?:1[2-9]|7|2(?:0|7|[1-6]\d|9[01789])|3(?:[0-469]|5\d|7\d|8\d)|4(?:[013-9]|2\d)|5(?:[1-8]|0\d|9\d)|6(?:[0-6]|[7-9]\d)|8(?:[1246]|[058]\d)|9(?:[0-58]|6\d|7\d|9\d))/;

/**
 * @param written from the first digit, `+` or bracket to the last digit.
 * @param before what precedes it.
 */
export function isPhone(written: string, before: string): boolean {
  const digits = written.replace(/\D/g, "");
  if (digits.length > 15 || /[ ./()-]{4}/.test(written) || !bracketsMatch(written)) return false;
  const groups = written.match(/\d+/g) ?? [];
  // Dates, sums and measures are grouped by one, in eights, or in threes behind a short first group.
  if (/^\d{3}-\d{2}-\d{4}$/.test(written) || /\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{4}/.test(written)) {
    return false;
  }
  if (written.startsWith("+")) return digits.length >= 8 && CALLING.test(digits);
  if (digits.startsWith("00")) {
    return groups.length > 1 && digits.length >= 10 && CALLING.test(digits.slice(2));
  }
  if (ANNOUNCED.test(before)) return digits.length >= 7 && digits.length <= 12;
  if (digits.startsWith("0")) {
    const shaped = groups.slice(1).every((group) => group.length >= 2 && group.length <= 4);
    return (
      groups.length > 1 &&
      shaped &&
      digits.length >= 9 &&
      digits.length <= 11 &&
      (groups[0]?.length ?? 0) >= 2
    );
  }
  // North America: (NPA) NXX-XXXX, NPA-NXX-XXXX, NPA.NXX.XXXX
  return /^(?:1[ .-])?(?:\([2-9]\d{2}\) ?\d{3}|[2-9]\d{2}[.-][2-9]\d{2})[.-]\d{4}$/.test(written);
}

function bracketsMatch(written: string): boolean {
  const brackets = written.replace(/[^()]/g, "");
  return brackets === "" || brackets === "()";
}
