import { defineConfig } from "../../shared/config.ts";
import { DEMO } from "./config-demo.ts";
import { MODELS } from "./config-models.ts";
import { DELAYS_BY_VESSEL_AND_MONTH, PAY_WITH_NAMES, REVENUE_BY_PORT_AND_QUARTER } from "./config-queries.ts";

/*
 * Who sees what rests on a few grants, so that it can be read in a minute:
 *   group:everyone   anybody, signed in or not        group:staff   everyone employed
 *   group:<team>     ops, sales, hr                   site:<uk|fr>  the half of the Channel that one works on
 * Rows carry `site` (and texts `audience`), so most rules are one line with the row's own value in braces.
 */
const EVERYONE = { allowAny: ["group:everyone"] };
const STAFF = { allowAny: ["group:staff"] };
const OPS_AND_SALES_OF_SITE = { allowAny: ["group:ops & site:{site}", "group:sales & site:{site}"] };
const SALES_OF_SITE = { allowAny: ["group:sales & site:{site}"] };
const HR = { allowAny: ["group:hr"] };
const AUDIENCE = { allowAny: ["group:{audience}"] };
/** Decides who sees a text, or says what the text shows by itself: of no use in an answer. */
const TEXT_COLUMNS = { audience: { exclude: true }, language: { exclude: true } };

/** The sample's configuration. Paths are relative to the root of the repository, where `generateSample` writes. */
export default defineConfig({
  name: "Samphire Line",
  description:
    "A small ferry and freight line across the Channel, with sites in Newhaven and Dieppe. Invented, as is everyone in it.",
  // A demo on one machine: several tabs and the tests ask faster than one person does.
  limits: { requestsPerMinute: 600, tenantRequestsPerMinute: 3000, concurrentRequests: 16 },
  sources: {
    warehouse: { kind: "duckdb", path: ".quayside/sample/warehouse.duckdb" },
    files: { kind: "duckdb", path: ".quayside/sample/files" },
  },
  tables: {
    ports: {
      source: "warehouse",
      key: ["port_id"],
      description: "Ports that Samphire Line calls at",
      title: "name",
      text: ["facilities"],
      columns: { foot_passengers: { label: "foot passengers admitted" } },
      classification: "public",
      access: EVERYONE,
    },
    routes: {
      source: "warehouse",
      key: ["route_id"],
      description: "Routes, with distance in nautical miles and crossing time in minutes",
      title: "name",
      text: ["notes"],
      lookups: { from_port_id: "ports.name", to_port_id: "ports.name" },
      columns: { distance_nautical_miles: { label: "distance in nautical miles" } },
      classification: "public",
      access: EVERYONE,
    },
    vessels: {
      source: "warehouse",
      key: ["vessel_id"],
      description: "Ships of the fleet (navires)",
      title: "name",
      text: ["description", "engineering_notes"],
      lookups: { home_port_id: "ports.name" },
      columns: {
        length_metres: { label: "length in metres" },
        passengers: { label: "passenger capacity" },
        reefer_sockets: {
          label: "reefer sockets",
          description: "Sockets for refrigerated trailers (prises reefer)",
        },
        next_dry_dock: { label: "next dry dock" },
        daily_fuel_cost_euros: { label: "daily fuel cost in euros", classification: "internal" },
        engineering_notes: { classification: "internal" },
      },
      classification: "public",
      views: [
        { name: "staff", columns: "*", access: STAFF, classification: "internal" },
        {
          name: "public",
          columns: [
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
            "description",
          ],
          access: EVERYONE,
        },
      ],
    },
    sailings: {
      source: "warehouse",
      key: ["sailing_id"],
      description: "Departures since January 2026: on time, delayed or cancelled. Local times",
      title: "name",
      lookups: {
        route_id: "routes.name",
        from_port_id: "ports.name",
        to_port_id: "ports.name",
        vessel_id: "vessels.name",
      },
      columns: {
        delay_minutes: { label: "delay in minutes", description: "Minutes late at departure (retard)" },
      },
      filters: ["status", "from_port_id", "vessel_id"],
      classification: "public",
      access: EVERYONE,
    },
    incidents: {
      source: "warehouse",
      key: ["incident_id"],
      description: "Incident reports of ships and ports: what happened, why, and what was done about it",
      title: "title",
      text: ["cause", "summary", "action_taken"],
      lookups: {
        port_id: "ports.name",
        vessel_id: "vessels.name",
        sailing_id: "sailings.name",
        reported_by_id: "employees.name",
      },
      columns: {
        cause: { description: "Why it happened (pourquoi, raison)" },
        language: { exclude: true },
      },
      filters: ["site", "severity", "status"],
      classification: "internal",
      access: OPS_AND_SALES_OF_SITE,
      changedAt: "updated_on",
    },
    customers: {
      source: "warehouse",
      key: ["customer_id"],
      description: "Account customers",
      title: "name",
      lookups: { account_manager_id: "employees.name" },
      columns: {
        credit_terms_days: { label: "credit terms in days", classification: "confidential" },
        credit_limit_euros: { label: "credit limit in euros", classification: "confidential" },
        discount_percent: { label: "discount in percent", classification: "confidential" },
      },
      classification: "internal",
      views: [
        { name: "sales", columns: "*", access: SALES_OF_SITE, classification: "confidential" },
        {
          name: "staff",
          columns: ["customer_id", "name", "segment", "town", "country", "site", "customer_since"],
          access: OPS_AND_SALES_OF_SITE,
        },
      ],
    },
    contacts: {
      source: "warehouse",
      key: ["contact_id"],
      description: "People at our customers: personal data, erased on request",
      title: "name",
      text: ["notes"],
      lookups: { customer_id: "customers.name" },
      columns: {
        email: { label: "e-mail" },
        phone: { label: "phone", description: "Telephone number (téléphone)" },
      },
      classification: "confidential",
      access: SALES_OF_SITE,
    },
    contracts: {
      source: "warehouse",
      key: ["contract_id"],
      description: "Contracts with customers, clause by clause",
      title: "title",
      text: ["price_adjustment", "notice_period", "quay_rent", "liability", "special_terms"],
      lookups: { customer_id: "customers.name" },
      columns: {
        quay_rent: {
          label: "quay rent",
          description: "What a trailer left on the quay costs (stationnement)",
        },
        notice_period: { label: "notice period", description: "How the contract is ended (préavis)" },
      },
      classification: "confidential",
      access: SALES_OF_SITE,
      changedAt: "updated_on",
    },
    bookings: {
      source: "warehouse",
      key: ["booking_id"],
      description: "Bookings of account customers",
      title: "Booking {booking_id}",
      lookups: { customer_id: "customers.name", sailing_id: "sailings.name" },
      columns: { total_euros: { label: "total in euros" } },
      filters: ["site", "status"],
      classification: "internal",
      access: OPS_AND_SALES_OF_SITE,
    },
    booking_lines: {
      source: "files",
      key: ["booking_id", "line_no"],
      description: "What was booked, line by line",
      title: "Booking {booking_id}, line {line_no}",
      columns: {
        unit_price_euros: { label: "unit price in euros" },
        amount_euros: { label: "amount in euros" },
      },
      classification: "internal",
      access: OPS_AND_SALES_OF_SITE,
    },
    support_tickets: {
      source: "warehouse",
      key: ["ticket_id"],
      description: "Letters and calls from passengers and customers, with our answer",
      title: "subject",
      text: ["body", "resolution"],
      lookups: { customer_id: "customers.name" },
      columns: { language: { exclude: true } },
      filters: ["site", "status"],
      classification: "internal",
      access: OPS_AND_SALES_OF_SITE,
      changedAt: "opened_on",
    },
    suppliers: {
      source: "warehouse",
      key: ["supplier_id"],
      description: "Suppliers of parts and stores (fournisseurs)",
      title: "name",
      text: ["notes"],
      columns: {
        lead_time_days: { label: "lead time in days" },
        payment_days: { label: "payment terms in days" },
        email: { label: "e-mail" },
      },
      classification: "internal",
      access: { allowAny: ["group:ops"] },
    },
    parts: {
      source: "warehouse",
      key: ["part_id"],
      description: "Spare parts and stock at both ports (pièces de rechange)",
      title: "name",
      text: ["note"],
      lookups: { vessel_id: "vessels.name", supplier_id: "suppliers.name" },
      columns: {
        unit_price_euros: { label: "unit price in euros" },
        stock_newhaven: { label: "stock at Newhaven" },
        stock_dieppe: { label: "stock at Dieppe" },
      },
      classification: "internal",
      access: { allowAny: ["group:ops"] },
      changedAt: "counted_on",
    },
    employees: {
      source: "warehouse",
      key: ["employee_id"],
      description: "Employees: the directory for all staff, the file for Human Resources",
      title: "name",
      lookups: { manager_id: "employees.name" },
      columns: {
        work_email: { label: "work e-mail" },
        hired_on: { classification: "confidential" },
        date_of_birth: { label: "date of birth", classification: "confidential" },
        home_town: { label: "home town", classification: "confidential" },
        contract_type: { label: "type of contract", classification: "confidential" },
      },
      classification: "internal",
      views: [
        { name: "file", columns: "*", access: HR, classification: "confidential" },
        {
          name: "directory",
          columns: [
            "employee_id",
            "name",
            "job_title",
            "department",
            "site",
            "manager_id",
            "work_email",
            "work_phone",
          ],
          access: STAFF,
        },
      ],
    },
    pay: {
      source: "warehouse",
      query: PAY_WITH_NAMES,
      key: ["employee_id"],
      description: "Pay of each employee since the last review (salaires)",
      title: "Pay of {employee}",
      text: ["review_note"],
      columns: {
        annual_salary: {
          label: "annual salary",
          description: "Gross, a year, in the currency of the row (salaire)",
        },
        annual_allowance: {
          label: "annual allowance",
          description: "Night, sea and stand-by supplements, a year",
        },
        // Nothing that answers a question; what is never read can't leak.
        bank_account: { exclude: true },
      },
      classification: "restricted",
      access: HR,
      changedAt: "effective_from",
    },
    hr_policies: {
      source: "warehouse",
      key: ["policy_id"],
      description: "Rules of employment; some are guidance for Human Resources only",
      title: "title",
      text: ["body"],
      lookups: { owner_id: "employees.name" },
      columns: TEXT_COLUMNS,
      classification: "internal",
      access: AUDIENCE,
      changedAt: "updated_on",
    },
    knowledge_articles: {
      source: "files",
      key: ["article_id"],
      description: "Help pages for passengers and working instructions for staff, in English and French",
      title: "title",
      text: ["body"],
      columns: TEXT_COLUMNS,
      filters: ["category"],
      classification: "internal",
      access: AUDIENCE,
      changedAt: "updated_on",
    },
    notices: {
      source: "files",
      key: ["notice_id"],
      description: "Service notices: what changes, from which day",
      title: "title",
      text: ["body"],
      columns: TEXT_COLUMNS,
      classification: "internal",
      access: AUDIENCE,
      changedAt: "published_on",
    },
    revenue_by_port_and_quarter: {
      source: "warehouse",
      query: REVENUE_BY_PORT_AND_QUARTER,
      key: ["port", "quarter"],
      description: "Total revenue (turnover, chiffre d'affaires) of each port of departure and quarter, 2026",
      title: "Revenue at {port}, {quarter}",
      text: ["summary"],
      columns: {
        total_revenue_in_euros: { label: "total revenue in euros" },
        bookings: { label: "number of bookings" },
      },
      classification: "internal",
      access: SALES_OF_SITE,
      rollup: true,
    },
    delays_by_vessel_and_month: {
      source: "warehouse",
      query: DELAYS_BY_VESSEL_AND_MONTH,
      key: ["vessel", "month"],
      description: "Total delay minutes, delayed and cancelled sailings of each vessel and month, 2026",
      title: "Delays of {vessel}, {month_name}",
      text: ["summary"],
      columns: {
        total_delay_minutes: { label: "total delay in minutes" },
      },
      classification: "internal",
      access: STAFF,
      rollup: true,
    },
  },
  models: MODELS,
  demo: DEMO,
});
