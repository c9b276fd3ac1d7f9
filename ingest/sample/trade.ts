import type { Sailing } from "./fleet.ts";
import { readRecords } from "./records.ts";
import type { SampleRow } from "./schema.ts";
import { CLAUSES, CONTRACTS } from "./texts-contracts.ts";
import { CONTACT_NAMES, CONTACT_NOTES, CUSTOMERS } from "./texts-customers.ts";

type Site = "uk" | "fr";

interface Customer {
  readonly id: string;
  readonly site: Site;
  readonly freight: boolean;
}

function readCustomers() {
  return readRecords(
    [
      "id",
      "name",
      "segment",
      "town",
      "country",
      "site",
      "credit_days",
      "credit_limit",
      "discount",
      "manager",
      "since",
    ],
    [],
    CUSTOMERS,
  );
}

const PARTIES = new Set(["tour operator", "coach operator", "school travel", "club travel", "bicycles"]);

function customersOf(): Customer[] {
  return readCustomers().map((c) => ({
    id: c.id,
    site: c.site === "fr" ? "fr" : "uk",
    freight: !PARTIES.has(c.segment),
  }));
}

export function customerRows(): SampleRow[] {
  return readCustomers().map((c) => ({
    customer_id: c.id,
    name: c.name,
    segment: c.segment,
    town: c.town,
    country: c.country,
    site: c.site,
    credit_terms_days: c.credit_days,
    credit_limit_euros: c.credit_limit,
    discount_percent: c.discount,
    account_manager_id: c.manager,
    customer_since: c.since,
  }));
}

/** Lower-case ASCII with dots, as in an address. */
export function mailbox(name: string): string {
  return name
    .normalize("NFD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/[^a-z]+/g, ".")
    .replace(/^\.|\.$/g, "");
}

/** Numbers of the ranges that the British and French regulators keep for fiction: they ring nowhere. */
export function fictionalPhone(site: Site, n: number): string {
  return site === "uk"
    ? `+44 1632 960${String(n % 1000).padStart(3, "0")}`
    : `+33 1 99 00 ${String(Math.floor(n / 100) % 100).padStart(2, "0")} ${String(n % 100).padStart(2, "0")}`;
}

const ROLES = {
  uk: ["Transport Manager", "Accounts", "Dispatcher", "Director"],
  fr: ["Responsable transport", "Comptabilité", "Affréteur", "Gérant"],
} as const;

/** One or two people a customer, in the order of the lists of names. */
export function contactRows(): SampleRow[] {
  const left = { uk: [...CONTACT_NAMES.uk], fr: [...CONTACT_NAMES.fr] };
  const customers = readCustomers();
  const rounds = [...customers, ...customers];
  const rows: SampleRow[] = [];
  for (const [i, c] of rounds.entries()) {
    const site: Site = c.site === "fr" ? "fr" : "uk";
    const name = left[site].shift();
    if (name === undefined) continue;
    const n = rows.length;
    rows.push({
      contact_id: `CT-${3001 + n}`,
      name,
      role: ROLES[site][(i + Math.floor(i / customers.length)) % ROLES[site].length] ?? null,
      customer_id: c.id,
      site,
      email: `${mailbox(name)}@${mailbox(c.name).replaceAll(".", "-")}.example.com`,
      phone: fictionalPhone(site, 107 + n * 7),
      language: site === "uk" ? "English" : "French",
      notes: CONTACT_NOTES[site][n % CONTACT_NOTES[site].length] ?? null,
    });
  }
  return rows;
}

export function contractRows(): SampleRow[] {
  const sites = new Map(customersOf().map((c) => [c.id, c.site]));
  const contracts = readRecords(
    ["id", "customer", "start", "end", "status", "crossings", "updated"],
    ["title", "price_adjustment", "notice_period", "quay_rent", "liability", "special_terms"],
    CONTRACTS,
  );
  return contracts.map((c, i) => {
    const library = CLAUSES[sites.get(c.customer) ?? "uk"];
    const clause = (own: string, name: keyof typeof library, small: number): string => {
      const drawn = library[name][(i * 5 + name.length) % library[name].length] ?? "";
      return own !== "" ? own : drawn.replace("#", String(small));
    };
    return {
      contract_id: c.id,
      title: c.title,
      customer_id: c.customer,
      site: sites.get(c.customer) ?? null,
      start_on: c.start,
      end_on: c.end,
      status: c.status,
      crossings_per_year: c.crossings,
      price_adjustment: clause(c.price_adjustment, "price_adjustment", 6 + (i % 5) * 2),
      notice_period: clause(c.notice_period, "notice_period", 0),
      quay_rent: clause(c.quay_rent, "quay_rent", 40 + (i % 6) * 5),
      liability: clause(c.liability, "liability", 0),
      special_terms: c.special_terms,
      updated_on: c.updated,
    };
  });
}

interface Item {
  readonly name: string;
  readonly price: number;
  readonly most: number;
}
const FREIGHT: readonly Item[] = [
  { name: "Accompanied trailer, 13.6 m", price: 412, most: 3 },
  { name: "Unaccompanied trailer, 13.6 m", price: 356, most: 4 },
  { name: "Rigid lorry, up to 10 m", price: 268, most: 2 },
  { name: "Reefer supplement", price: 54, most: 3 },
  { name: "Van, up to 6 m", price: 138, most: 2 },
  { name: "Dangerous goods supplement", price: 76.5, most: 1 },
];
const PARTY: readonly Item[] = [
  { name: "Coach, up to 12 m", price: 385, most: 2 },
  { name: "Group passenger", price: 23.5, most: 48 },
  { name: "Bicycle", price: 6, most: 30 },
  { name: "Motorhome, up to 7.5 m", price: 164, most: 9 },
  { name: "Two-berth cabin", price: 38, most: 6 },
  { name: "Set meal", price: 14.9, most: 45 },
];

const BOOKINGS = 1200;
const CHANNELS = ["portal", "data exchange", "phone", "e-mail"] as const;

interface Trade {
  readonly bookings: readonly SampleRow[];
  readonly lines: readonly SampleRow[];
}

/** Bookings of account customers, on sailings that suit them: no freight over Folkestone, no parties to Le Havre. */
export function buildTrade(random: () => number, sailings: readonly Sailing[]): Trade {
  const below = (n: number): number => Math.floor(random() * n);
  const customers = customersOf();
  const forFreight = sailings.filter((s) => s.route !== "R-FB");
  const forParties = sailings.filter((s) => s.route !== "R-NL");
  const bookings: SampleRow[] = [];
  const lines: SampleRow[] = [];
  for (let n = 0; n < BOOKINGS; n++) {
    const customer = customers[below(customers.length)];
    const suitable = customer?.freight ? forFreight : forParties;
    const sailing = suitable[below(suitable.length)];
    if (!customer || !sailing) continue;
    const id = `BK-${10_001 + n}`;
    const menu = [...(customer.freight ? FREIGHT : PARTY)];
    let cents = 0;
    const count = 1 + below(3);
    for (let line = 1; line <= count; line++) {
      const [item] = menu.splice(below(menu.length), 1);
      if (!item) break;
      const quantity = 1 + below(item.most);
      const unit = Math.round(item.price * (0.92 + random() * 0.2) * 10) * 10;
      cents += unit * quantity;
      lines.push({
        booking_id: id,
        line_no: line,
        site: customer.site,
        item: item.name,
        quantity,
        unit_price_euros: euros(unit),
        amount_euros: euros(unit * quantity),
      });
    }
    const lead = 1 + below(40);
    bookings.push({
      booking_id: id,
      customer_id: customer.id,
      sailing_id: sailing.id,
      site: customer.site,
      booked_on: new Date(Date.parse(sailing.date) - lead * 86_400_000).toISOString().slice(0, 10),
      channel: CHANNELS[below(CHANNELS.length)] ?? null,
      status: statusOf(sailing, random()),
      total_euros: euros(cents),
    });
  }
  return { bookings, lines };
}

function statusOf(sailing: Sailing, draw: number): string {
  if (sailing.status === "cancelled") return "refunded";
  return draw < 0.03 ? "cancelled by customer" : "travelled";
}

function euros(cents: number): string {
  return (cents / 100).toFixed(2);
}
