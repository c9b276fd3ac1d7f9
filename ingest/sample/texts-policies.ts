/** HR policies: id, language, audience (`staff` or `hr`), applies to, owner, effective from, last change. */
export const POLICIES = `
== HR-01 | en | staff | United Kingdom | E-108 | 2024-04-01 | 2025-01-13
title: Annual leave, United Kingdom
body: Full-time staff have 27 days of leave a year besides bank holidays, and one day more after five years. Up to five days may be carried into the next year and must be taken by the end of March. Ask for summer weeks before 15 February; where two people want the same week, the one who gave way last year has the choice.
== HR-02 | fr | staff | France | E-109 | 2024-04-01 | 2025-01-20
title: Congés payés, France
body: Les salariés acquièrent 2,5 jours ouvrables par mois, soit 30 jours par an, auxquels s'ajoutent les jours de réduction du temps de travail du service. Les dates d'été se demandent avant le 15 février. En cas de souhaits concurrents, la priorité revient à la personne qui a cédé l'année précédente.
== HR-03 | en | staff | both countries | E-108 | 2024-06-03 | 2024-06-03
title: Working from home
body: Office staff may work from home up to two days a week, on days agreed with their manager. Port, ship and gate duties cannot be done from home. The company lends a screen and a chair and pays nothing for electricity.
== HR-04 | en | staff | both countries | E-108 | 2024-09-02 | 2025-11-04
title: Sickness and return to work
body: Tell your manager before your shift begins, by voice and not by message. A doctor's note is needed from the fourth day in the United Kingdom and from the first in France. After two weeks away we meet before you return, to see what should be lighter for a while.
== HR-05 | fr | staff | France | E-109 | 2024-09-02 | 2025-11-10
title: Arrêt maladie et reprise, France
body: Prévenir son responsable avant la prise de poste, de vive voix. L'arrêt de travail est transmis sous 48 heures. Après trente jours d'absence, une visite de reprise a lieu avec le médecin du travail avant tout retour à bord ou sur le quai.
== HR-06 | en | staff | both countries | E-108 | 2025-01-06 | 2025-01-06
title: Parental leave
body: Mothers have 26 weeks at full pay and fathers or partners six, in both countries, whichever law gives less. The weeks may be split in two blocks within the first year. Seafarers move to shore duties on request from the fourth month of pregnancy.
== HR-07 | en | staff | both countries | E-108 | 2024-02-12 | 2026-03-02
title: Uniform and protective clothing
body: Lined jackets, boots and gloves are replaced when worn out, not by date; hand in the old pair. On the ramp and the car decks the orange jacket is closed, always. Waistcoats of Golden Samphire are part of the ship and stay on board.
== HR-08 | en | staff | both countries | E-108 | 2025-03-10 | 2025-03-10
title: Free and reduced crossings
body: Each member of staff has eight free crossings a year for a car and up to five people, and pays half for the rest. Book as stand-by: paying passengers go first. No staff travel on the Saturdays of July and August.
== HR-09 | en | staff | United Kingdom | E-108 | 2024-04-01 | 2025-08-18
title: Notice and resignation, United Kingdom
body: One week during probation, one month for grades A to S, three months for grades M and masters. Leave that is left over is paid out. Seafarers are brought home at the company's cost wherever they leave the ship.
== HR-10 | fr | staff | France | E-109 | 2024-04-01 | 2025-08-18
title: Préavis de démission, France
body: Un mois pour les employés, deux mois pour les agents de maîtrise, trois mois pour les cadres et les commandants. Les congés restants sont soldés. La dispense de préavis se demande par écrit.
== HR-11 | en | staff | both countries | E-108 | 2025-05-05 | 2026-04-13
title: Fatigue and hours of rest
body: Crew have at least ten hours of rest in any twenty-four, in at most two parts, one of which lasts six hours. Nobody is asked to sign hours that were not rested. A master who stops the ship for lack of rest is right by definition.
== HR-12 | en | staff | both countries | E-136 | 2025-02-03 | 2025-02-03
title: Alcohol and drugs on duty
body: The limit on duty is zero. Tests are by lot and after every serious incident, and a refusal counts as positive. Anyone who asks for help before a test is treated as ill and not as guilty.
== HR-13 | en | staff | both countries | E-108 | 2025-09-15 | 2025-09-15
title: Speaking up
body: Write to speakup@samphire.example.com or put a letter in the grey box at either port. Two people read it: the safety officer and an outsider in Rouen. Nobody loses by writing; somebody may lose by hunting for the writer.
== HR-14 | en | staff | both countries | E-108 | 2025-10-01 | 2026-01-12
title: Learning French, learning English
body: Two hours a week of lessons during working time for anyone who needs the other language. Whoever passes level B1 gets 300 pounds or 350 euros once. The Tuesday table in the Newhaven canteen speaks French, the Thursday table in Dieppe speaks English, whatever the menu says.
== HR-15 | fr | staff | France | E-109 | 2025-06-02 | 2026-06-15
title: Tickets-restaurant et repas de bord
body: Le personnel de bureau reçoit un titre-restaurant de 11 euros par jour travaillé, dont 6,50 euros pris en charge par la compagnie. L'équipage est nourri à bord. Les deux ne se cumulent pas.
== HR-16 | en | hr | both countries | E-108 | 2026-01-05 | 2026-01-05
title: Pay round 2026, guidance for Human Resources
body: The general raise is 3 percent from April. Each department has 1.5 percent more for single cases, with a written reason. Offers above the top of a grade need the managing director. Do not share figures of one site with the other before 20 March.
== HR-17 | en | hr | both countries | E-108 | 2025-07-01 | 2026-07-06
title: Salary bands by grade
body: Bands in pounds for the United Kingdom and euros for France: A1 17,000 to 21,000; S1 26,000 to 33,000; S2 36,000 to 45,000; S3 44,000 to 57,000; M2 62,000 to 95,000; M1 105,000 to 140,000. Sea grades: C3 38,000 to 45,000; C2 56,000 to 66,000; C1 76,000 to 90,000.
== HR-18 | en | hr | both countries | E-108 | 2025-11-03 | 2025-11-03
title: Conducting a disciplinary hearing
body: Five days' notice in writing, the papers attached, and a companion of the person's choice. The one who investigated does not decide. Keep the note to what was said. In France the summons goes by registered letter and the decision at least two working days after the meeting.
== HR-19 | fr | hr | France | E-109 | 2026-02-09 | 2026-02-09
title: Entretiens de retour après un départ évité
body: Lorsqu'une contre-proposition a retenu un salarié, un entretien a lieu à six mois. On y parle du travail et non du salaire. Le compte rendu reste aux ressources humaines et n'est pas versé au dossier du service.
`;
