import { meansOrganisations, meansPeople, stemsOf, wordsOf } from "./names.ts";
import type { Form, Profile } from "./profile.ts";

/** A column that not everyone who sees its row should see, or that nobody should. */
export interface Sensitive {
  readonly column: string;
  readonly kind:
    | "address"
    | "bank"
    | "binary"
    | "birth"
    | "email"
    | "health"
    | "ip"
    | "national-id"
    | "pay"
    | "person-name"
    | "phone"
    | "prose"
    | "secret";
  readonly classification: "confidential" | "restricted";
  /** Never read: it answers no question, and what is not read can't leak. */
  readonly exclude: boolean;
  readonly reason: string;
}

type Kind = Sensitive["kind"];

/** What a name must hold, as words joined by spaces with a space at either end. The first that matches decides. */
const NAMES: readonly (readonly [Kind, RegExp])[] = [
  [
    "secret",
    / (?:password|passwd|pwd|passphrase|secret|token|salt|cvv|cvc|otp|mot de passe|(?:api|private|access|secret) key|password hash|pin) /,
  ],
  [
    "bank",
    / (?:iban|bic|rib|(?:bank|credit|debit)(?: card)? (?:account|card|detail|number)|bank account.*|account number|card number|pan|sort code|routing number) /,
  ],
  [
    "national-id",
    / (?:ssn|social security.*|nino|national insurance.*|passport(?: number| no)?|national id|tax id|numéro de sécurité sociale|nir) /,
  ],
  ["pay", / (?:salary|salaire|wage|compensation|bonus|payroll|remuneration|rémunération|allowance) /],
  ["health", / (?:diagnosis|medical|disability|blood type|religion|ethnicity|allergy|medication|handicap) /],
  ["email", / (?:email|e mail|mail|courriel) /],
  ["phone", / (?:phone|telephone|téléphone|tel|fax|mobile|cell) /],
  ["birth", / (?:birth|birthday|birthdate|dob|naissance) /],
  ["ip", / (?:ip|ip address|ip addr|verified ip) /],
  ["address", / (?:address|address\d|adresse|home town|hometown) /],
  [
    "person-name",
    / (?:first ?name|last ?name|sur ?name|full ?name|given ?name|family ?name|forename|maiden ?name|contact name|user ?name|nickname|prénom|prenom|nom de famille) |^ login $/,
  ],
];
const STREETS = / (?:street|street name|rue|post ?code|postal code|zip|zip code|code postal|house number) /;

const WHY: Readonly<Record<Kind, string>> = {
  secret: "a password, key or token",
  bank: "bank account or card",
  "national-id": "number that a state gives a person",
  pay: "what someone is paid",
  health: "health or belief",
  email: "e-mail address",
  phone: "telephone number",
  birth: "date or place of birth",
  ip: "internet address of a person's device",
  address: "postal address",
  "person-name": "name of a person",
  binary: "bytes: nothing to read in an answer",
  prose: "free text",
};

const EXCLUDED: readonly Kind[] = ["secret", "bank", "national-id", "binary"];
const RESTRICTED: readonly Kind[] = ["secret", "bank", "national-id", "pay", "health"];
const FORMS: readonly (readonly [Form, Kind, number])[] = [
  ["iban", "bank", 0.5],
  ["email", "email", 0.5],
  // One random number in ten has a valid check digit.
  ["card", "bank", 0.9],
  ["ip", "ip", 0.9],
  ["phone", "phone", 0.7],
];

/** Columns with personal data, secrets or bytes, in the table's order. */
export function sensitiveOf(table: string, profiles: readonly Profile[]): readonly Sensitive[] {
  const aboutPeople =
    meansPeople(table) ||
    (!meansOrganisations(table) &&
      profiles.some(
        (p) => ["birth", "email", "person-name"].includes(byName(p) ?? "") && !/ contact /.test(spaced(p)),
      ));
  return profiles.flatMap((p): Sensitive[] => {
    const found = (kind: Kind, how: string): Sensitive[] => [
      {
        column: p.column.name,
        kind,
        classification: RESTRICTED.includes(kind) ? "restricted" : "confidential",
        exclude: EXCLUDED.includes(kind),
        reason: kind === "binary" ? WHY[kind] : `${WHY[kind]}, ${how}`,
      },
    ];
    if (p.shape === "binary") return found("binary", "");
    for (const [form, kind, least] of FORMS) {
      const share = p.forms[form];
      if (share >= least && p.rows - p.nulls >= 3 && !["date", "timestamp"].includes(p.shape)) {
        return found(kind, `by the form of ${Math.round(share * 100)} % of its values`);
      }
    }
    const kind = byName(p);
    if (kind !== undefined && fits(kind, p)) return found(kind, "by its name");
    if (aboutPeople && STREETS.test(spaced(p)) && p.shape !== "boolean")
      return found("address", "by its name, in a table about people");
    if (aboutPeople && isName(p)) return found("person-name", "in a table about people");
    if (p.mentionsEmail >= 0.05) {
      return found("prose", `e-mail addresses within ${Math.round(p.mentionsEmail * 100)} % of its values`);
    }
    return [];
  });
}

function byName(p: Profile): Kind | undefined {
  return NAMES.find(([, words]) => words.test(spaced(p)))?.[0];
}

function spaced(p: Profile): string {
  return ` ${stemsOf(p.column.name).join(" ")} `;
}

function isName(p: Profile): boolean {
  const words = wordsOf(p.column.name);
  if (p.shape !== "text" || !["name", "nom"].includes(words.at(-1) ?? "")) return false;
  return (
    !words.some((word) =>
      ["company", "city", "product", "event", "team", "domain", "device"].includes(word),
    ) && p.meanWords <= 4
  );
}

/** Whether the values can be what the name says: `mail_sent` is a flag, `input_tokens` a count, `fax_date` a date. */
function fits(kind: Kind, p: Profile): boolean {
  if (p.shape === "boolean" || p.shape === "time") return false;
  if (kind === "pay") return p.shape !== "url";
  if (p.shape === "date" || p.shape === "timestamp") return kind === "birth";
  if (kind === "secret")
    return (
      p.shape !== "decimal" &&
      (p.shape !== "integer" || / (?:pin|otp|cvv|cvc) /.test(` ${wordsOf(p.column.name).join(" ")} `))
    );
  if (p.shape === "integer" || p.shape === "decimal") return ["bank", "national-id", "phone"].includes(kind);
  return p.shape !== "url";
}
