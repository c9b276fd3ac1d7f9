import { buildSailings, incidentRows, sailingRows } from "./fleet.ts";
import { readRecords, seededRandom } from "./records.ts";
import type { SampleRow, SampleRows } from "./schema.ts";
import { ARTICLES_EN } from "./texts-articles-en.ts";
import { ARTICLES_FR } from "./texts-articles-fr.ts";
import { PORTS, ROUTES, SUPPLIERS, VESSELS } from "./texts-fleet.ts";
import { NOTICES } from "./texts-notices.ts";
import { PARTS } from "./texts-parts.ts";
import { EMPLOYEES, REVIEW_NOTES } from "./texts-people.ts";
import { POLICIES } from "./texts-policies.ts";
import { TICKETS_EN } from "./texts-tickets-en.ts";
import { TICKETS_FR } from "./texts-tickets-fr.ts";
import { buildTrade, contactRows, contractRows, customerRows, fictionalPhone, mailbox } from "./trade.ts";

/** Every row of every base table; the same for the same seed, on any machine and at any time. */
export function buildTables(seed: number): SampleRows {
  const random = seededRandom(seed);
  const sailings = buildSailings(random);
  const trade = buildTrade(random, sailings);
  return {
    ports: readRecords(
      ["port_id", "name", "country", "site", "time_zone", "berths", "foot_passengers"],
      ["facilities"],
      PORTS,
    ),
    routes: readRecords(
      [
        "route_id",
        "name",
        "from_port_id",
        "to_port_id",
        "distance_nautical_miles",
        "crossing_minutes",
        "season",
        "service",
      ],
      ["notes"],
      ROUTES,
    ),
    vessels: readRecords(
      [
        "vessel_id",
        "name",
        "type",
        "year_built",
        "flag",
        "length_metres",
        "passengers",
        "lane_metres",
        "reefer_sockets",
        "home_port_id",
        "status",
        "next_dry_dock",
        "daily_fuel_cost_euros",
      ],
      ["description", "engineering_notes"],
      VESSELS,
    ),
    sailings: sailingRows(sailings),
    incidents: incidentRows(),
    customers: customerRows(),
    contacts: contactRows(),
    contracts: contractRows(),
    bookings: trade.bookings,
    booking_lines: trade.lines,
    support_tickets: [...ticketRows(TICKETS_EN, "en"), ...ticketRows(TICKETS_FR, "fr")],
    suppliers: supplierRows(),
    parts: readRecords(
      [
        "part_id",
        "name",
        "system",
        "vessel_id",
        "supplier_id",
        "unit_price_euros",
        "stock_newhaven",
        "stock_dieppe",
        "minimum_stock",
        "counted_on",
      ],
      ["note"],
      PARTS,
    ),
    employees: employeeRows(),
    pay: payRows(),
    hr_policies: readRecords(
      ["policy_id", "language", "audience", "applies_to", "owner_id", "effective_from", "updated_on"],
      ["title", "body"],
      POLICIES,
    ),
    knowledge_articles: readRecords(
      ["article_id", "language", "audience", "category", "published_on", "updated_on"],
      ["title", "body"],
      `${ARTICLES_EN}\n${ARTICLES_FR}`,
    ),
    notices: readRecords(
      ["notice_id", "language", "audience", "published_on", "applies_from"],
      ["title", "body"],
      NOTICES,
    ),
  };
}

function ticketRows(source: string, language: string): SampleRow[] {
  const tickets = readRecords(
    ["ticket_id", "opened_on", "closed_on", "site", "customer_id", "channel", "priority"],
    ["subject", "body", "resolution"],
    source,
  );
  return tickets.map((t) => ({ ...t, language, status: t.closed_on === "" ? "open" : "closed" }));
}

function supplierRows(): SampleRow[] {
  const suppliers = readRecords(
    ["supplier_id", "name", "town", "country", "lead_time_days", "payment_days"],
    ["specialty", "notes"],
    SUPPLIERS,
  );
  return suppliers.map((s, i) => ({
    ...s,
    email: `orders@${mailbox(s.name).replaceAll(".", "-")}.example.org`,
    phone: fictionalPhone(s.country === "France" ? "fr" : "uk", 803 + i),
  }));
}

function readEmployees() {
  return readRecords(
    [
      "employee_id",
      "name",
      "job_title",
      "department",
      "site",
      "manager_id",
      "hired_on",
      "date_of_birth",
      "home_town",
      "contract_type",
      "grade",
      "salary",
      "allowance",
    ],
    [],
    EMPLOYEES,
  );
}

function employeeRows(): SampleRow[] {
  return readEmployees().map(({ grade: _g, salary: _s, allowance: _a, ...e }, i) => ({
    ...e,
    work_email: `${mailbox(e.name)}@samphire.example.com`,
    work_phone: fictionalPhone(e.site === "fr" ? "fr" : "uk", 11 + i),
  }));
}

function payRows(): SampleRow[] {
  const notes = new Map(readRecords(["id"], ["note"], REVIEW_NOTES).map((n) => [n.id, n.note]));
  return readEmployees().map((e) => ({
    employee_id: e.employee_id,
    grade: e.grade,
    annual_salary: e.salary,
    currency: e.site === "fr" ? "EUR" : "GBP",
    annual_allowance: e.allowance,
    effective_from: "2026-04-01",
    review_note: notes.get(e.employee_id) ?? null,
    bank_account: `XX00 SAMPHIRE ${e.employee_id}`,
  }));
}
