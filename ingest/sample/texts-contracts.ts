/**
 * Contracts: id, customer, start, end, status, crossings a year, last change. Clauses that a contract leaves out are drawn
 * from the clause library below, in the language of the customer's site.
 */
export const CONTRACTS = `
== CON-301 | CU-1001 | 2025-01-01 | 2027-12-31 | in force | 620 | 2026-02-20
title: Freight contract with Alderbrook Provender
quay_rent: Trailers of Alderbrook Provender may stand on the quay for 48 hours after landing; after that quay rent is 65 euros for each day begun, and 95 euros where the trailer is plugged in.
notice_period: Either party may end the contract by six months' notice in writing, to the end of a quarter.
special_terms: Two reefer places on Sea Kale are kept every Sunday until 16:00. If they are not used for four Sundays running, they are given up. Drivers may leave trailers with the gate on Saturday evening.
== CON-302 | CU-1008 | 2024-06-01 | 2027-05-31 | in force | 910 | 2026-06-18
title: Freight contract with Saltmarsh Dairy Co-operative
special_terms: Chilled trailers have the first places on deck. Where a socket is refused for want of power, the line pays the diesel of the trailer's own unit at 38 euros a crossing.
== CON-303 | CU-1010 | 2025-04-01 | 2026-12-31 | in force | 780 | 2026-01-26
title: Freight contract with Corrigan Panel Freight
special_terms: The account goes on stop when an invoice is sixty days old. A stop is announced by telephone two working days before, to a person and not to a machine.
== CON-304 | CU-1016 | 2023-10-01 | 2026-12-31 | in renewal | 1400 | 2026-10-30
title: Vehicle carriage contract with Gullwing Vehicle Logistics
special_terms: New cars travel under deck only, with handbrake marks photographed on loading and landing. Damage is reported within 24 hours or counts as done elsewhere.
== CON-305 | CU-1020 | 2025-05-01 | 2028-04-30 | in force | 340 | 2025-05-02
title: Seasonal fruit contract with Oakapple Fruit Growers
special_terms: From May to August four places on each crossing out of Dieppe are kept until noon the day before. Strawberries travel by the exhaust-free side.
== CON-306 | CU-1021 | 2025-09-01 | 2027-08-31 | in force | 260 | 2026-09-15
title: Medicines contract with Bexwell Pharma Couriers
special_terms: Temperature is read and signed at plugging, mid-passage and landing, and the sheet is sent within 24 hours. A missing reading costs the line 40 euros.
== CON-307 | CU-1015 | 2024-01-01 | 2026-12-31 | in renewal | 120 | 2026-08-05
title: Freight contract with Winterbourne Glass
special_terms: Glass stands fore and aft, never athwart. Storage caused by the line is free for three days, whoever is waiting at the other end.
== CON-308 | CU-1023 | 2024-03-01 | 2027-02-28 | in force | 410 | 2025-03-03
title: Freight contract with Rumbelow Paper
special_terms: Reels wet by sea water are the line's affair, reels wet by rain the customer's. A claim needs a photograph with something dry in it.
== CON-309 | CU-1004 | 2026-01-01 | 2026-12-31 | in force | 85 | 2026-02-20
title: Tour contract with Blackcap Cycling Holidays
special_terms: Guides travel free with ten paying cyclists. News of a cancelled crossing goes to the guide's own number as well as to the office. A tandem counts as two.
== CON-310 | CU-1005 | 2025-03-01 | 2027-02-28 | in force | 160 | 2026-07-15
title: Coach contract with Ferris & Dew Coaches
special_terms: Drivers have a hot meal on the Dieppe route. Places of a coach may be filled by another party up to the day before without a change fee.
== CON-311 | CU-1006 | 2025-09-01 | 2027-08-31 | in force | 140 | 2025-09-02
title: School travel contract with Merryweather School Journeys
special_terms: One free adult for every ten pupils. Names may change until the evening before; the number may fall by a tenth without cost.
== CON-312 | CU-1013 | 2026-03-01 | 2027-02-28 | in force | 70 | 2026-10-10
title: Club contract with Larkfield Motorhome Club
special_terms: Members show their card at the gate. Where a crossing is moved to another port, the line pays for the fuel of the detour by the mile.
== CON-321 | CU-2002 | 2024-01-01 | 2026-12-31 | in renewal | 980 | 2026-11-02
title: Contrat de fret avec Transports Malaquis
special_terms: Huit places sont gardées chaque soir au départ du Havre jusqu'à 18 heures. Une remorque égarée à terre donne droit à une traversée offerte.
== CON-322 | CU-2003 | 2025-02-01 | 2028-01-31 | in force | 540 | 2026-01-14
title: Contrat de fret frigorifique avec Laiterie du Petit Caux
special_terms: Les relevés de température sont remis au débarquement. Au-delà de six degrés pendant une heure, la marchandise est expertisée sur place aux frais de la compagnie.
== CON-323 | CU-2001 | 2024-09-01 | 2027-08-31 | in force | 300 | 2024-09-02
title: Contrat saisonnier avec Vergers de la Béthune
special_terms: De septembre à novembre, six prises reefer sont garanties au Havre. En cas de coup de vent, les remorques de pommes partent avant le fret général.
== CON-324 | CU-2004 | 2025-07-01 | 2027-06-30 | in force | 450 | 2026-11-05
title: Contrat de fret avec Verrerie des Deux Vallées
special_terms: Le verre voyage dans l'axe du navire. Le stationnement dû à une annulation n'est pas facturé, quelle qu'en soit la durée.
== CON-325 | CU-2007 | 2026-01-01 | 2027-12-31 | in force | 220 | 2026-05-26
title: Contrat marée avec Marée Côte d'Opale
special_terms: Le poisson embarque en dernier et descend en premier. Un retard de plus de deux heures donne droit à la moitié du prix du passage.
== CON-326 | CU-2011 | 2025-10-01 | 2028-09-30 | in force | 60 | 2026-09-14
title: Contrat de convois exceptionnels avec Éoliennes Services Manche
special_terms: Les pales voyagent de nuit, au pont principal de l'Obione, avec un préavis de dix jours. Un convoi décommandé moins de 48 heures avant est dû à moitié.
== CON-327 | CU-2013 | 2023-12-01 | 2026-11-30 | in renewal | 1650 | 2026-10-12
title: Contrat de fret avec Fret Vallée de Seine
special_terms: La pesée du silo voisin fait foi lorsque le pont-bascule est hors service. La remise de fin d'année est versée en février.
== CON-328 | CU-2017 | 2025-05-01 | 2027-04-30 | in force | 190 | 2026-10-19
title: Contrat de fret avec Fromagers du Bray Réunis
special_terms: Une attestation de retard est fournie le jour même. Les fromages à croûte lavée ne voyagent pas sous la salle à manger.
== CON-329 | CU-2018 | 2025-11-01 | 2027-10-31 | in force | 170 | 2026-08-10
title: Contrat médicaments avec Pharma Littoral Express
special_terms: Les remorques sont branchées sur deux groupes de prises distincts. Toute coupure est signalée dans l'heure, avec le relevé.
== CON-330 | CU-2005 | 2026-02-01 | 2028-01-31 | in force | 130 | 2026-02-02
title: Contrat autocars avec Autocars Falaise Blanche
special_terms: Le conducteur a un repas et un siège au calme. La remise pour retard est calculée sur le car entier et non par passager.
== CON-331 | CU-2006 | 2025-08-01 | 2027-07-31 | in force | 150 | 2026-03-25
title: Contrat scolaire avec Voyages Grand Large Scolaire
special_terms: Un adulte gratuit pour dix élèves. Le tampon du collège suffit sur la liste. Un panier-repas est offert au-delà de deux heures de retard.
== CON-332 | CU-2019 | 2026-04-01 | 2027-03-31 | in force | 90 | 2026-05-07
title: Contrat vélo avec Échappées à Vélo
special_terms: Les vélos montent les premiers et descendent les premiers. Un bon de 60 euros est prévu par groupe si un service annoncé n'est pas rendu.
`;

type Clauses = Readonly<
  Record<"price_adjustment" | "notice_period" | "quay_rent" | "liability", readonly string[]>
>;

/** The clause library by site; `#` stands for a number that the contract's own volume decides. */
export const CLAUSES: Readonly<Record<"uk" | "fr", Clauses>> = {
  uk: {
    price_adjustment: [
      "Prices follow marine gas oil: for every # euros a tonne above or below the base of 690 euros, the freight rate moves by one percent in the next month.",
      "The rate is fixed until the end of the calendar year and then rises with consumer prices in the United Kingdom, by at most # percent.",
      "A fuel surcharge is fixed on the 20th of each month for the next. It may not exceed # percent of the freight rate.",
      "There is no fuel clause. The rate is reviewed every # months, and stays as it is where the parties do not agree.",
    ],
    notice_period: [
      "Either party may end the contract by three months' notice in writing, to the end of a month.",
      "The contract runs to its end date and is renewed for a year unless one party writes by the first of October.",
      "Notice is four months. The line may give one month's notice where two invoices are more than sixty days old.",
    ],
    quay_rent: [
      "The quay is free for 24 hours after landing; after that each day begun costs # euros a trailer.",
      "Trailers may stand for three days without cost, Sundays not counted. From the fourth, # euros a day.",
      "Storage is agreed case by case with the port operations manager.",
    ],
    liability: [
      "The line answers for damage between gate and gate up to 2 units of account a kilo, and not for delay.",
      "The line answers for loss and damage as carriage by sea provides; delay is paid for at the freight rate and no further.",
      "Claims are made in writing within seven days of landing. Strikes by others, weather that endangers the ship and acts of the authorities are excepted.",
    ],
  },
  fr: {
    price_adjustment: [
      "Le tarif suit le gazole marin : par tranche de # euros la tonne autour de la base de 690 euros, le prix du passage varie d'un pour cent le mois suivant.",
      "Le prix est ferme jusqu'au 31 décembre, puis révisé selon l'indice des transports, dans la limite de # pour cent.",
      "La surcharge carburant est fixée le 20 de chaque mois. Elle ne peut dépasser # pour cent du prix du passage.",
    ],
    notice_period: [
      "Chaque partie peut résilier par lettre recommandée avec un préavis de trois mois, à la fin d'un mois.",
      "Le contrat est reconduit d'un an sauf dénonciation avant le premier octobre.",
      "Le préavis est de quatre mois, ramené à un mois en cas d'impayé de plus de soixante jours.",
    ],
    quay_rent: [
      "Le stationnement est gratuit pendant 24 heures après débarquement ; au-delà, # euros par jour entamé et par remorque.",
      "Trois jours de franchise, dimanches exclus. À partir du quatrième, # euros par jour.",
      "Le stationnement est réglé au cas par cas avec l'escale.",
    ],
    liability: [
      "La compagnie répond des avaries de barrière à barrière, à hauteur de 2 unités de compte par kilo, et non des retards.",
      "Les réclamations sont faites par écrit sous sept jours. Les arrêts de travail de tiers, la météo et les décisions des autorités sont exclus.",
      "Le retard est indemnisé dans la limite du prix du passage ; la perte et l'avarie, selon le droit du transport maritime.",
    ],
  },
};
