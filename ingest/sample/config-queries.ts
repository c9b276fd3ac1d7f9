/** Totals are computed by the warehouse, never counted from passages: each row carries its figures and a sentence of them. */
export const REVENUE_BY_PORT_AND_QUARTER = `
WITH totals AS (
  SELECT p.name AS port, p.site, quarter(s.sailing_date) AS q,
         sum(b.total_euros)::DECIMAL(12,2) AS total_revenue_in_euros, count(*)::INTEGER AS bookings
  FROM bookings b
  JOIN sailings s ON s.sailing_id = b.sailing_id
  JOIN ports p ON p.port_id = s.from_port_id
  WHERE b.status = 'travelled'
  GROUP BY ALL
)
SELECT port, 'Q' || q || ' 2026' AS quarter, site, total_revenue_in_euros, bookings,
       'Total revenue at ' || port || ' in the ' || ['first', 'second', 'third', 'fourth'][q]
       || ' quarter of 2026 (Q' || q || ' 2026' || CASE WHEN q = 4 THEN ', until 20 November' ELSE '' END || ') was '
       || format('{:,.2f}', total_revenue_in_euros::DOUBLE) || ' euros from ' || bookings || ' bookings.' AS summary
FROM totals`;

export const DELAYS_BY_VESSEL_AND_MONTH = `
WITH totals AS (
  SELECT v.name AS vessel, date_trunc('month', s.sailing_date) AS start,
         count(*)::INTEGER AS sailings_planned,
         count(*) FILTER (s.status = 'delayed')::INTEGER AS sailings_delayed,
         count(*) FILTER (s.status = 'cancelled')::INTEGER AS sailings_cancelled,
         sum(s.delay_minutes)::INTEGER AS total_delay_minutes
  FROM sailings s JOIN vessels v ON v.vessel_id = s.vessel_id
  GROUP BY ALL
)
SELECT vessel, strftime(start, '%Y-%m') AS month, strftime(start, '%B %Y') AS month_name,
       sailings_planned, sailings_delayed, sailings_cancelled, total_delay_minutes,
       vessel || ' made ' || sailings_planned - sailings_cancelled || ' of ' || sailings_planned || ' sailings in '
       || strftime(start, '%B %Y') || '; delayed departures: ' || sailings_delayed || ', total delay: '
       || total_delay_minutes || ' minutes, cancelled sailings: ' || sailings_cancelled || '.' AS summary
FROM totals`;

/** The name stands in the row, so that the row can be called by it; amounts carry their currency. */
export const PAY_WITH_NAMES = `
SELECT p.employee_id, e.name AS employee, e.site, p.grade,
       format('{:,} {}', p.annual_salary, p.currency) AS annual_salary,
       format('{:,} {}', p.annual_allowance, p.currency) AS annual_allowance,
       p.effective_from, p.review_note, p.bank_account
FROM pay p JOIN employees e ON e.employee_id = p.employee_id`;
