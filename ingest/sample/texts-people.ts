/** Employees: id, name, job, department, site, manager, hired, born, home town, contract, grade, salary, allowance. Invented people. */
export const EMPLOYEES = `
== E-101 | Rosalind Penhallick | Managing Director | Management | uk | | 2009-03-02 | 1968-05-14 | Alfriston | permanent | M1 | 138000 | 9600
== E-102 | Aurélien Quillebeuf | Deputy Managing Director | Management | fr | E-101 | 2011-09-05 | 1972-11-30 | Varengeville-sur-Mer | permanent | M1 | 121500 | 8400
== E-103 | Thaddeus Winterbrook | Marine Superintendent | Marine | uk | E-101 | 2008-01-14 | 1966-02-19 | Seaford | permanent | M2 | 92400 | 6000
== E-104 | Odile Marchepont | Port Operations Manager, Dieppe | Operations | fr | E-102 | 2014-05-12 | 1979-08-03 | Dieppe | permanent | M2 | 71850 | 4200
== E-105 | Cosmo Tattersby | Port Operations Manager, Newhaven | Operations | uk | E-103 | 2016-02-01 | 1983-12-22 | Peacehaven | permanent | M2 | 64200 | 3600
== E-106 | Perpetua Oakshott | Head of Sales | Sales | uk | E-101 | 2013-10-07 | 1977-04-09 | Lewes | permanent | M2 | 78900 | 7200
== E-107 | Bertille Vauquelin-Dray | Directrice commerciale France | Sales | fr | E-102 | 2015-03-16 | 1980-06-27 | Rouen | permanent | M2 | 74300 | 6600
== E-108 | Ingram Fellowes-Tarn | Head of People | Human Resources | uk | E-101 | 2018-06-04 | 1981-09-15 | Brighton | permanent | M2 | 69750 | 2400
== E-109 | Solveig Hautecoeur | HR Partner, France | Human Resources | fr | E-108 | 2020-01-20 | 1988-01-11 | Offranville | permanent | S3 | 48600 | 1200
== E-110 | Barnaby Quickfall | Finance Director | Finance | uk | E-101 | 2010-11-01 | 1970-07-21 | Hove | permanent | M1 | 112000 | 7200
== E-111 | Léontine Abrassart | Accounts Payable Lead | Finance | fr | E-110 | 2017-04-03 | 1985-03-29 | Dieppe | permanent | S2 | 41300 | 600
== E-112 | Gwendal Troadec-Ruel | Shift Supervisor, Dieppe | Operations | fr | E-104 | 2019-09-02 | 1990-10-05 | Neuville-lès-Dieppe | permanent | S2 | 39400 | 3900
== E-113 | Maëlys Corbineau | Shift Supervisor, Dieppe | Operations | fr | E-104 | 2021-02-15 | 1993-02-24 | Saint-Aubin-sur-Scie | permanent | S2 | 38700 | 3900
== E-114 | Hesper Lockwood-Jeal | Shift Supervisor, Newhaven | Operations | uk | E-105 | 2017-08-21 | 1987-05-18 | Newhaven | permanent | S2 | 41800 | 4100
== E-115 | Orlando Brightwaite | Shift Supervisor, Folkestone | Operations | uk | E-105 | 2020-03-09 | 1989-11-02 | Hythe | permanent | S2 | 40950 | 4100
== E-116 | Firmin Delahoussaye | Port Agent, Boulogne | Operations | fr | E-104 | 2016-10-17 | 1982-01-08 | Wimereux | permanent | S3 | 45200 | 3300
== E-117 | Clotilde Rambervilliers | Port Agent, Le Havre | Operations | fr | E-104 | 2022-05-02 | 1991-07-14 | Sainte-Adresse | permanent | S2 | 40100 | 3300
== E-118 | Jocelyn Ashdown-Pike | Master, Marram | Marine | uk | E-103 | 2012-07-30 | 1975-10-28 | Ringmer | permanent | C1 | 86700 | 9800
== E-119 | Yannig Kerfriden | Master, Salicorne | Marine | fr | E-103 | 2013-01-07 | 1974-03-17 | Pourville | permanent | C1 | 84900 | 9800
== E-120 | Marguerite Sallenelles | Chief Officer, Salicorne | Marine | fr | E-119 | 2019-04-08 | 1986-12-01 | Dieppe | permanent | C2 | 61200 | 7400
== E-121 | Ptolemy Wadhurst | Chief Engineer, Marram | Engineering | uk | E-124 | 2011-05-23 | 1973-06-06 | Newhaven | permanent | C1 | 79600 | 8800
== E-122 | Célestin Hauchecorne | Chief Engineer, Salicorne | Engineering | fr | E-124 | 2014-11-10 | 1978-09-25 | Hautot-sur-Mer | permanent | C1 | 77800 | 8800
== E-123 | Araminta Gorse | Master, Sea Lavender | Marine | uk | E-103 | 2018-02-12 | 1984-04-20 | Sandgate | permanent | C1 | 81300 | 7600
== E-124 | Lucasta Embleton-Wray | Technical Superintendent | Engineering | uk | E-103 | 2015-06-15 | 1979-02-07 | Ditchling | permanent | M2 | 83500 | 4800
== E-125 | Évariste Pontécoulant | Port Engineer, Dieppe | Engineering | fr | E-124 | 2018-09-24 | 1987-08-19 | Rouxmesnil-Bouteilles | permanent | S3 | 52300 | 3600
== E-126 | Dulcie Rackstraw | Customer Care Lead | Customer Care | uk | E-106 | 2019-01-07 | 1990-05-31 | Seaford | permanent | S2 | 37600 | 900
== E-127 | Anselme Thibouville | Conseiller clientèle | Customer Care | fr | E-107 | 2021-06-07 | 1995-09-09 | Dieppe | permanent | S1 | 31200 | 600
== E-128 | Fenella Marsh-Bostock | Customer Care Adviser | Customer Care | uk | E-126 | 2022-03-14 | 1997-12-12 | Brighton | permanent | S1 | 28400 | 600
== E-129 | Ottoline Hurstwood | Freight Sales Manager | Sales | uk | E-106 | 2016-05-09 | 1985-01-26 | Uckfield | permanent | S3 | 54800 | 9300
== E-130 | Placide Bréauté-Lenormand | Chargé de clientèle fret | Sales | fr | E-107 | 2018-11-19 | 1989-04-04 | Dieppe | permanent | S3 | 47100 | 8200
== E-131 | Ignatius Plumley | Groups and Tours Manager | Sales | uk | E-106 | 2020-09-21 | 1992-08-16 | Eastbourne | permanent | S2 | 42300 | 4400
== E-132 | Sidonie Vatteville | Assistante commerciale | Sales | fr | E-107 | 2023-01-09 | 1998-06-18 | Rouen | fixed term | S1 | 30600 | 900
== E-133 | Hyacinth Boughey | Payroll Specialist | Human Resources | uk | E-108 | 2021-10-04 | 1991-03-03 | Lewes | permanent | S2 | 38900 | 600
== E-134 | Cuthbert Selmeston | Network Engineer | Information Technology | uk | E-110 | 2019-07-22 | 1988-10-10 | Burgess Hill | permanent | S3 | 51700 | 1800
== E-135 | Apolline Grémonville | Data Analyst | Information Technology | fr | E-110 | 2022-09-12 | 1994-11-27 | Dieppe | permanent | S2 | 43900 | 900
== E-136 | Tancred Holloway-Birling | Safety Officer | Marine | uk | E-103 | 2017-03-27 | 1982-05-05 | Newhaven | permanent | S3 | 55900 | 2700
== E-137 | Zéphyrin Lemarquant | Bosun, Salicorne | Marine | fr | E-120 | 2010-04-19 | 1971-01-23 | Dieppe | permanent | C3 | 42600 | 6900
== E-138 | Winifred Stonegate | Purser, Marram | Onboard Services | uk | E-118 | 2016-06-20 | 1986-09-29 | Peacehaven | permanent | C3 | 39800 | 5600
== E-139 | Isaure Bellencombre | Commissaire de bord, Salicorne | Onboard Services | fr | E-119 | 2017-05-15 | 1990-02-02 | Arques-la-Bataille | permanent | C3 | 40700 | 5600
== E-140 | Lysander Crowhurst | Deck Cadet | Marine | uk | E-118 | 2025-09-01 | 2005-07-07 | Bexhill | apprenticeship | A1 | 19800 | 2400
== E-141 | Toussaint Goderville | Apprenti mécanicien | Engineering | fr | E-122 | 2025-09-15 | 2006-03-21 | Dieppe | apprenticeship | A1 | 17900 | 1800
== E-142 | Cressida Lullington | Master, Sea Kale | Marine | uk | E-103 | 2014-08-11 | 1977-12-15 | Seaford | permanent | C1 | 82100 | 10400
== E-143 | Melchior Étretat-Duval | Master, Obione | Marine | fr | E-103 | 2015-12-07 | 1976-08-08 | Le Havre | permanent | C1 | 83600 | 10400
== E-144 | Prudence Wealdon | Chef, Golden Samphire | Onboard Services | uk | E-138 | 2024-04-01 | 1999-04-26 | Newhaven | seasonal | S1 | 27300 | 1500
`;

/** What managers wrote at the 2026 pay review; employee id, then the note. */
export const REVIEW_NOTES = `
== E-104
note: Kept Dieppe running through two ramp failures and a dockers' stoppage. Raise of 4.5 percent agreed, above the 3 percent round, with a retention review in spring.
== E-112
note: Ready for a deputy manager's post. Night supplement corrected back to January.
== E-114
note: Raise held at 2 percent: the target for turn-round times was missed in the second quarter, through no fault of hers. Reconsider in January.
== E-122
note: A yard in Saint-Nazaire has made him an offer. Counter-offer of 3,000 euros accepted on 12 June.
== E-126
note: Answers twice as many letters as the post was designed for. Regrading to S3 proposed for April 2027.
== E-129
note: Commission plan changed from turnover to margin. She agreed, with a guarantee for the first two quarters.
== E-134
note: Stand-by duty is now paid at 150 pounds a week, outside the salary.
== E-140
note: Second-year cadet rate applies from September 2026.
`;
