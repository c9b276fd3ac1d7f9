/** Incidents reported at Newhaven and Folkestone; same form as the French ones. */
export const INCIDENTS_UK = `
== INC-2601 | 2026-01-07 | NHV | 12:15 | V-01 | minor | delayed 20 | passenger | | closed | E-114 | 2026-01-07
title: Salicorne: car with a flat battery blocked lane 2
cause: A car left its lights on overnight in the queue and would not start when loading began.
summary: The duty team pushed it aside and started it with the ramp van. Its owner, who had slept through all of it, apologised to everybody in the lane by hand.
action_taken: A jump pack is now kept in the lane office.
== INC-2602 | 2026-01-09 | FKS | 08:15 | V-05 | minor | delayed 45 | weather | | closed | E-115 | 2026-01-09
title: Chardon Bleu: waited for the swell to drop
cause: A northerly swell of 2.9 metres on the Harbour Arm was just below the limit, and the master waited for the tide to turn.
summary: Foot passengers were kept in the waiting room, where the heater was found to be broken. Two blankets were lent and one came back.
action_taken: Heater repaired on 12 January.
== INC-2605 | 2026-02-02 | NHV | 21:00 | V-06 | moderate | delayed 120 | technical | | closed | E-114 | 2026-02-05
title: Sea Kale: upper ramp overloaded
cause: A low-loader of 47 tonnes was sent to the upper ramp, whose limit is 44 tonnes, because its booking gave the weight without the excavator.
summary: The ramp settled four centimetres and stopped. The lorry reversed off under the eye of the chief officer. No damage was found, but the inspection took two hours.
action_taken: Freight with machinery is weighed at Newhaven whatever the papers say.
== INC-2608 | 2026-02-17 | FKS | 08:15 | V-04 | moderate | cancelled | weather | BLG 11:00 cancelled | closed | E-115 | 2026-02-17
title: Sea Lavender: both crossings lost to an easterly gale
cause: Waves of 3.4 metres at the Folkestone entrance exceeded the ship's limit of 3.0 metres.
summary: Decided at 05:30, so that most passengers read it at home. Sixteen people who came anyway were driven to Newhaven in a minibus.
action_taken: Text messages now go out at the moment of the decision, not at check-in.
== INC-2611 | 2026-02-26 | NHV | 12:15 | V-02 | minor | delayed 30 | port | | closed | E-114 | 2026-02-27
title: Marram: swing bridge opened late
cause: The swing bridge at Newhaven was opened for a dredger at the wrong time, and arriving cars were held on the far side.
summary: Twenty-six cars came to the gate after closing. Loading was stopped and started again.
action_taken: The bridge keeper has our sailing list on the wall again, with this year's date.
== INC-2613 | 2026-03-11 | NHV | 21:00 | V-07 | minor | delayed 40 | crew | | closed | E-114 | 2026-03-12
title: Obione: officer unwell
cause: The second officer fell ill an hour before departure, and safe manning needs two deck officers besides the master.
summary: Jocelyn Ashdown-Pike, off duty and at the cinema, came down and sailed as second officer. Her popcorn came too.
action_taken: Stand-by list for freight ships extended to Newhaven-based officers.
== INC-2616 | 2026-04-08 | NHV | 09:00 | V-03 | moderate | delayed 70 | technical | | closed | E-121 | 2026-04-10
title: Golden Samphire: steering gear alarm on the first day of the season
cause: Air had been left in the hydraulic system of the steering gear when it was refilled after the winter.
summary: The alarm came during the test an hour before departure, which is what the test is for. The system was bled twice and tried from stop to stop.
action_taken: The spring start-up list now says to bleed the system warm.
== INC-2618 | 2026-04-22 | FKS | 08:15 | V-05 | minor | delayed 15 | passenger | | closed | E-115 | 2026-04-22
title: Chardon Bleu: sixty bicycles and one tandem too many
cause: A cycling group had booked sixty bicycles and brought sixty-one, the last of them a tandem with a trailer.
summary: The tandem travelled in the crêpe counter's store room, with the consent of the crêpe counter.
action_taken: Group confirmations now say that a tandem counts as two.
== INC-2621 | 2026-05-29 | NHV | 12:15 | V-02 | serious | delayed 95 | technical | | closed | E-121 | 2026-06-08
title: Marram: small fire in a galley duct
cause: Grease in the extraction duct of the forward galley caught fire, because the filters had been washed but put back wet and were left open to dry.
summary: The duct damper closed by itself and the fire was out in four minutes. Passengers noticed a smell of toast. Coastguard and fire brigade informed; nobody hurt.
action_taken: Ducts cleaned in all ships by the end of June. Wet filters are replaced by the spare set.
== INC-2623 | 2026-06-17 | NHV | 09:00 | V-03 | minor | delayed 35 | technical | | closed | E-114 | 2026-06-18
title: Golden Samphire: car deck lift stopped between decks
cause: A child's scooter had rolled into the guide rail of the car deck lift.
summary: Two cars were between decks for twenty-five minutes, with nobody in them. The scooter is beyond repair and has been replaced by the purser out of the tea fund.
action_taken: Brush seals fitted along the guide rails.
== INC-2626 | 2026-07-08 | FKS | 08:15 | V-04 | minor | delayed 25 | border | | closed | E-115 | 2026-07-08
title: Sea Lavender: school group without a list
cause: A school party of forty-four arrived without the stamped list of pupils that French border officers ask for.
summary: The teacher's laptop and the kiosk's printer were introduced to each other. All forty-four travelled.
action_taken: Reminder added to the confirmation for school journeys.
== INC-2630 | 2026-07-31 | NHV | 12:15 | V-01 | moderate | delayed 80 | port | | closed | E-105 | 2026-08-03
title: Salicorne: power cut on the east side of Newhaven
cause: A contractor cut the terminal's power cable while laying a drain, and check-in, barriers and lighting were out.
summary: Checked in by hand on paper lists, 412 people in seventy minutes. The café gave away its ice cream before it melted.
action_taken: Contractor's insurer has accepted the claim of 6,140 pounds.
== INC-2632 | 2026-08-14 | NHV | 21:00 | V-06 | minor | delayed 50 | customs | | closed | E-114 | 2026-08-17
title: Sea Kale: trailer held for a missing plant certificate
cause: A trailer of olive trees had no plant health certificate, and three others were blocked behind it on the deck.
summary: The trees were unloaded and spent the night on the quay, where the night watch watered them.
action_taken: Trailers with plants are loaded last until their papers are seen.
== INC-2635 | 2026-08-29 | NHV | 09:00 | V-03 | minor | none | passenger | | closed | E-138 | 2026-08-30
title: Golden Samphire: wedding on board without notice
cause: A couple asked the master to marry them at sea; under the British flag a master has no such right, and they had not asked before.
summary: The purser arranged a blessing by a passenger who is a vicar, with the ship's bell and a cake from the tea room. The couple will marry again at the register office in Lewes.
action_taken: A line about weddings has been added to the website.
== INC-2639 | 2026-09-23 | NHV | 12:15 | V-02 | moderate | delayed 60 | technical | | closed | E-121 | 2026-09-30
title: Marram: turbocharger of main engine 1 surging
cause: Worn bearings in the turbocharger of main engine 1 made it surge above 80 percent load.
summary: The ship crossed at fifteen knots instead of twenty. Chief Engineer Wadhurst recommends exchange at the December docking and no full load until then.
action_taken: Exchange unit ordered from Turbines Marines Caudebec. Timetable allows for the lower speed from 28 September.
== INC-2641 | 2026-10-07 | FKS | 08:15 | V-05 | moderate | cancelled | technical | BLG 11:00 cancelled | closed | E-115 | 2026-10-09
title: Chardon Bleu: ride control would not engage
cause: A sensor of the ride control had been fitted back to front when the system was reconditioned in September.
summary: The master would not sail with 2.4 metres of swell and no ride control. A hundred and thirty passengers were sent over Newhaven by coach.
action_taken: Sensor turned round. The yard has been asked for its check list, politely.
== INC-2646 | 2026-10-28 | NHV | 21:00 | V-07 | moderate | delayed 105 | technical | | open | E-142 | 2026-11-02
title: Obione: aft mooring winch brake slipped
cause: The brake lining of the aft mooring winch was worn below three millimetres, and the winch paid out when a passing ship drew the Obione off the berth.
summary: The stern swung four metres off before a second line held it. Loading stopped, nobody was on the ramp.
action_taken: Extra lines until the brake is relined in the December docking. Passing speed taken up with the harbour master.
== INC-2649 | 2026-11-09 | NHV | 12:15 | V-02 | minor | delayed 25 | passenger | | closed | E-138 | 2026-11-10
title: Marram: parrot loose on the car deck
cause: A grey parrot escaped from its cage while its owner was looking for his tickets, and flew up to the cable trays of deck 3.
summary: It came down for a slice of pear after twenty minutes, having learned the loading alarm.
action_taken: Cages have to stay covered and closed on the car decks.
`;
