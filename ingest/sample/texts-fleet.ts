/** Ports: code, name, country, site, time zone, berths, foot passengers, facilities. */
export const PORTS = `
== NHV | Newhaven | United Kingdom | uk | Europe/London | 2 | yes
facilities: Terminal café open from two hours before each departure, luggage trolleys, showers for lorry drivers, 140 long-stay parking spaces. Newhaven Town station is eight minutes on foot.
== FKS | Folkestone | United Kingdom | uk | Europe/London | 1 | yes
facilities: Small waiting room on the Harbour Arm, kiosk in season, bicycle racks. No vehicles above 3.1 metres because of the viaduct.
== DPE | Dieppe | France | fr | Europe/Paris | 2 | yes
facilities: Passenger terminal with luggage lockers, changing tables, a bakery counter from 05:00 and free shuttle to the station. Freight gate on the Quai du Maroc side with 90 trailer bays.
== BLG | Boulogne-sur-Mer | France | fr | Europe/Paris | 1 | yes
facilities: Waiting room beside the fish market, parking by the hour, bus line to the station every twenty minutes.
== LEH | Le Havre | France | fr | Europe/Paris | 1 | no
facilities: Freight only: trailer park with 60 bays, 24 refrigerated sockets on the quay and a weighbridge. There is no passenger terminal.
`;

/** Routes: id, name, from, to, nautical miles, minutes, season, service. */
export const ROUTES = `
== R-ND | Newhaven – Dieppe | NHV | DPE | 65 | 240 | all year | passengers and freight
notes: The founding route of the line. One return crossing a day, two from April to September when Golden Samphire joins.
== R-FB | Folkestone – Boulogne-sur-Mer | FKS | BLG | 25 | 100 | all year | passengers and cars
notes: The short crossing, for cars and foot passengers only. No freight above 3.5 tonnes because of the Folkestone viaduct.
== R-NL | Newhaven – Le Havre | NHV | LEH | 92 | 420 | all year | freight only
notes: Night freight service, Sunday to Friday. Accompanied and unaccompanied trailers; drivers have single cabins.
`;

/** Vessels: id, name, type, built, flag, length m, passengers, lane metres, reefer sockets, home port, status, dry dock, fuel. */
export const VESSELS = `
== V-01 | Salicorne | ro-pax ferry | 2011 | France | 142.4 | 620 | 1150 | 24 | DPE | in service | 2027-01-18 | 18400
description: Salicorne has two lounges, forty-six cabins, a quiet room above the bow and the only bakery oven in the fleet. Dogs travel in twelve kennels on deck 5.
engineering_notes: Stern ramp hoses are on a 36-month replacement cycle. Port stabiliser fin reconditioned in February 2026. Watch the deck 3 drencher valve, which sticks when cold.
== V-02 | Marram | ro-pax ferry | 2006 | United Kingdom | 139.0 | 580 | 1080 | 18 | NHV | in service | 2026-12-07 | 19250
description: Marram is the steady one: a broad ferry with a forward bar, a children's corner painted as a rock pool and eight pet-friendly cabins on deck 6.
engineering_notes: Bow thruster 2 derated to 70 percent until dry dock. Main engine 1 turbocharger to be exchanged in December.
== V-03 | Golden Samphire | ro-pax ferry | 1989 | United Kingdom | 118.7 | 480 | 720 | 8 | NHV | summer season | 2027-02-22 | 16800
description: Golden Samphire is the oldest ship of the line, with teak rails, a brass bell and a tea room that still uses the original china. She sails from April to September.
engineering_notes: Steel renewal of the car deck is due at the 2027 docking; quotations come from two yards. Spare parts for the steering gear are made to order.
== V-04 | Sea Lavender | fast ro-pax | 2017 | United Kingdom | 96.2 | 410 | 330 | 0 | FKS | in service | 2027-03-08 | 11900
description: Sea Lavender crosses to Boulogne in one hour and forty minutes. Large windows, bicycle deck for sixty, no cabins.
engineering_notes: Water jets 1 and 3 share a control card that fails when wet; spare kept at Folkestone. Wave height limit 3.0 metres.
== V-05 | Chardon Bleu | fast ro-pax | 2018 | France | 96.2 | 410 | 330 | 0 | BLG | in service | 2027-03-29 | 11750
description: Chardon Bleu is the sister of Sea Lavender, with a crêpe counter and a gallery of photographs of Boulogne's fishing families.
engineering_notes: Same class as Sea Lavender. Wave height limit 3.0 metres. Ride control reconditioned in September 2026.
== V-06 | Sea Kale | freight ro-ro | 2003 | United Kingdom | 154.8 | 12 | 1870 | 60 | NHV | in service | 2027-05-10 | 21300
description: Sea Kale carries freight only: 1,870 lane metres, sixty refrigerated sockets and twelve driver cabins.
engineering_notes: Generator 3 out of use, rental set on the weather deck until a rotor arrives. Upper ramp limited to 44 tonnes.
== V-07 | Obione | freight ro-ro | 2008 | France | 161.1 | 12 | 2040 | 72 | LEH | in service | 2026-12-14 | 22050
description: Obione is the largest ship of the line: 2,040 lane metres over three decks, seventy-two refrigerated sockets and twelve driver cabins.
engineering_notes: Scrubber wash-water pump replaced in August 2026. Aft mooring winch brake to be relined.
== V-08 | Alyssum | fast catamaran | 1998 | United Kingdom | 74.3 | 350 | 0 | 0 | NHV | laid up, for sale | | 0
description: Alyssum, a passenger catamaran, is laid up in Newhaven and offered for sale. She carries no passengers.
engineering_notes: Preserved dry, dehumidifiers checked weekly. Class suspended since November 2024.
`;

/** Suppliers: id, name, town, country, lead time days, payment days. */
export const SUPPLIERS = `
== SU-01 | Ateliers Hydrauliques du Bresle | Eu | France | 9 | 45
specialty: hydraulic hoses and cylinders
notes: Makes stern ramp hoses to drawing and stamps the date on each crimp. Closed for the first three weeks of August; order before 10 July.
== SU-02 | Pevensey Rope and Rigging | Eastbourne | United Kingdom | 4 | 30
specialty: mooring lines, slings and lashings
notes: Delivers to Newhaven the next morning if the order is in by three. Certificates come by post, so ask for a scan.
== SU-03 | Turbines Marines Caudebec | Caudebec-en-Caux | France | 42 | 60
specialty: turbochargers and water jets
notes: Only approved shop for the fast craft. Exchange units against return of the core within 30 days, otherwise a deposit of 4,800 euros is kept.
== SU-04 | Ouse Valley Electrics | Lewes | United Kingdom | 6 | 30
specialty: switchgear, sockets and lighting
notes: Reliable on reefer sockets. Their earth-leakage breakers changed maker in 2025; check the fitting before you sign.
== SU-05 | Frigo Talou | Arques-la-Bataille | France | 5 | 30
specialty: refrigeration spares
notes: Has an on-call fitter for Dieppe, seven days a week, who may board with a visitor pass.
== SU-06 | Beachy Safety Equipment | Seaford | United Kingdom | 12 | 30
specialty: lifejackets, rafts and fire-fighting gear
notes: Annual raft service contract ends in March 2027. Collects from Newhaven only.
== SU-07 | Corderie de l'Alabaster | Fécamp | France | 8 | 45
specialty: cordage and fenders
notes: Second source for mooring lines. Dearer, but splices on site.
== SU-08 | Downland Paints | Uckfield | United Kingdom | 7 | 30
specialty: coatings and deck paint
notes: Non-slip deck paint in grey 7040 is mixed to order. Two failures of adhesion on Marram in 2025, both on damp steel.
== SU-09 | Électronique du Cap | Boulogne-sur-Mer | France | 15 | 45
specialty: navigation and control electronics
notes: Repairs control cards of the water jets. Loan cards are possible for two weeks.
== SU-10 | Sheffield Bearings and Seals | Sheffield | United Kingdom | 10 | 30
specialty: bearings and seals
notes: Stock list on their site is honest. Customs papers for Dieppe take two extra days.
== SU-11 | Boulangerie Ango | Dieppe | France | 1 | 14
specialty: bread and pastry
notes: Delivers dough to Salicorne at 05:10. Orders by 18:00 the day before; a cancelled sailing is charged half.
== SU-12 | Cuckmere Provisions | Newhaven | United Kingdom | 2 | 21
specialty: ship's stores
notes: Tea, tinned goods and cleaning materials. Minimum order 150 pounds.
`;
