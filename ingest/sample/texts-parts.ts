/** Spare parts: id, name, system, vessel, supplier, unit price in euros, stock at Newhaven, stock at Dieppe, minimum, last counted. */
export const PARTS = `
== P-7001 | Stern ramp hose, 32 mm, 2.4 m | stern ramp | V-01 | SU-01 | 418.00 | 0 | 1 | 2 | 2026-11-04
note: One used on 3 November. Stamp of the remaining hose: January 2026.
== P-7002 | Stern ramp hose, 32 mm, 3.1 m | stern ramp | V-02 | SU-01 | 467.50 | 2 | 1 | 2 | 2026-11-04
note: Fits Golden Samphire too with the short adapter.
== P-7003 | Bow door cylinder seal kit | bow door | V-01 | SU-10 | 236.00 | 1 | 2 | 1 | 2026-09-12
note: Grease before fitting, not after.
== P-7004 | Drencher valve, 80 mm | fire safety | V-01 | SU-06 | 612.00 | 0 | 1 | 1 | 2026-10-01
note: The type with the brass spindle. The steel one rusts.
== P-7005 | Trace heating cable, 10 m | fire safety | V-01 | SU-04 | 94.20 | 2 | 4 | 2 | 2026-10-01
note: Fitted on deck 3 since February 2026.
== P-7006 | Stabiliser fin indicator lamp | stabilisers | V-01 | SU-09 | 37.80 | 1 | 6 | 3 | 2026-08-20
note: Cheap lamp, dear lesson.
== P-7007 | Bow thruster blade set | manoeuvring | V-02 | SU-03 | 8900.00 | 1 | 0 | 1 | 2026-06-30
note: Stored in the dry dock's own shed under our name.
== P-7008 | Turbocharger, exchange unit | main engine | V-02 | SU-03 | 31400.00 | 0 | 0 | 0 | 2026-10-01
note: Ordered on 24 September for the December docking.
== P-7009 | Turbocharger bearing set | main engine | V-02 | SU-10 | 1280.00 | 1 | 1 | 1 | 2026-10-01
note: Last resort if the exchange unit is late.
== P-7010 | Galley duct filter, spare set | galley | V-02 | SU-12 | 152.00 | 3 | 1 | 2 | 2026-06-30
note: Never fit wet.
== P-7011 | Car deck lift brush seal, 4 m | car deck | V-03 | SU-02 | 61.00 | 5 | 0 | 2 | 2026-07-02
note: Fitted against scooters.
== P-7012 | Steering gear pump | steering | V-03 | SU-01 | 5740.00 | 1 | 0 | 1 | 2026-04-11
note: Made to order, eleven weeks. Do not lend.
== P-7013 | Ship's bell rope | deck | V-03 | SU-07 | 84.00 | 1 | 1 | 1 | 2026-04-01
note: Plaited by hand, navy and white.
== P-7014 | Tea room cup, blue rim | catering | V-03 | SU-12 | 18.50 | 140 | 0 | 60 | 2026-04-01
note: Last firing was in 1994; the saucers are copies.
== P-7015 | Water jet control card | propulsion | V-04 | SU-09 | 2240.00 | 1 | 0 | 1 | 2026-07-14
note: Kept at Folkestone in a dry box. Fits Chardon Bleu.
== P-7016 | Water jet impeller | propulsion | V-04 | SU-03 | 15800.00 | 0 | 0 | 0 | 2026-05-19
note: On call at the shop in Caudebec, four days.
== P-7017 | Ride control sensor | propulsion | V-05 | SU-09 | 790.00 | 0 | 2 | 1 | 2026-10-09
note: The arrow points forward. Forward.
== P-7018 | Crêpe plate, 40 cm | catering | V-05 | SU-12 | 210.00 | 0 | 1 | 1 | 2026-03-15
note: Seasoned plate in reserve; do not wash with soap.
== P-7019 | Generator rotor, 900 kW | electrical | V-06 | SU-04 | 46800.00 | 0 | 0 | 0 | 2026-06-18
note: Promised for January 2027.
== P-7020 | Reefer socket, 32 A, complete | electrical | V-06 | SU-04 | 143.00 | 12 | 6 | 8 | 2026-09-30
note: Same socket on all ships.
== P-7021 | Reefer group breaker, 63 A | electrical | V-01 | SU-04 | 188.00 | 2 | 3 | 2 | 2026-08-11
note: New maker since 2025; check the rail.
== P-7022 | Reefer plug, watertight | electrical | V-07 | SU-04 | 56.40 | 9 | 14 | 10 | 2026-09-30
note: For hired trailers with cracked plugs.
== P-7023 | Scrubber pump, complete | exhaust cleaning | V-07 | SU-01 | 7350.00 | 0 | 1 | 1 | 2026-08-25
note: One on board as well since August.
== P-7024 | Mooring winch brake lining | mooring | V-07 | SU-10 | 940.00 | 0 | 0 | 2 | 2026-11-02
note: Two sets ordered on 29 October; due in the second week of December.
== P-7025 | Mooring line, 64 mm, 110 m | mooring | V-06 | SU-02 | 1320.00 | 4 | 2 | 3 | 2026-09-30
note: Turn end for end after a year.
== P-7026 | Fender, cylindrical, 1.2 m | mooring | V-05 | SU-07 | 2180.00 | 1 | 3 | 2 | 2026-05-06
note: The Boulogne berth eats one a winter.
== P-7027 | Lifejacket, adult | safety | V-02 | SU-06 | 42.00 | 60 | 40 | 50 | 2026-09-04
note: Lockers are sealed after each inspection.
== P-7028 | Lifejacket, child | safety | V-04 | SU-06 | 39.00 | 30 | 25 | 25 | 2026-09-04
note: Check for toys.
== P-7029 | Liferaft hydrostatic release | safety | V-01 | SU-06 | 118.00 | 6 | 4 | 6 | 2026-03-01
note: Two years from the date of activation.
== P-7030 | Fire hose, 45 mm, 20 m | fire safety | V-07 | SU-06 | 165.00 | 5 | 4 | 4 | 2026-03-01
note: Two hoses for every battery fire point.
== P-7031 | Lashing chain, 13 mm, 3 m | car deck | V-01 | SU-02 | 27.60 | 220 | 310 | 400 | 2026-04-15
note: Minimum raised with the new lashing rule.
== P-7032 | Lashing tensioner | car deck | V-02 | SU-02 | 49.90 | 180 | 140 | 300 | 2026-04-15
note: Grease in May and November.
== P-7033 | Deck paint, non-slip grey, 20 l | hull | V-02 | SU-08 | 264.00 | 7 | 3 | 4 | 2026-06-12
note: Not on damp steel. Ask Uckfield.
== P-7034 | Bakery oven upper element | galley | V-01 | SU-05 | 320.00 | 0 | 0 | 1 | 2026-11-18
note: Ordered on 17 November, promised for 1 December.
== P-7035 | Cabin lock, card type | accommodation | V-01 | SU-04 | 88.00 | 4 | 9 | 6 | 2026-02-16
note: Old cards open new locks only once.
== P-7036 | Kennel heater, 400 W | accommodation | V-01 | SU-05 | 71.00 | 0 | 3 | 2 | 2026-06-02
note: With a guard against chewing.
`;
