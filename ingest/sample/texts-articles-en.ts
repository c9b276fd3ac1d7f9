/**
 * Knowledge articles in English. Header: id, language, audience (`everyone` or `staff`), category, published, last change.
 * Some are older than the notice, policy or article that contradicts them, as in any company; nobody has marked them.
 */
export const ARTICLES_EN = `
== KA-101 | en | everyone | check-in | 2024-03-18 | 2025-04-02
title: Check-in times for cars at Dieppe
body: Car check-in at Dieppe closes 45 minutes before departure. The lanes open two and a half hours before. Please have your booking number and passports ready at the booth; the officer will scan them before you reach ours. Late arrivals are moved to the next sailing with space, free of charge, once.
== KA-102 | en | everyone | check-in | 2024-03-18 | 2025-04-02
title: Check-in times for foot passengers
body: Foot passengers should be at the terminal one hour before departure. A shuttle bus takes you and your luggage from the hall to the ship; the last bus leaves twenty-five minutes before departure. Folding bicycles in a bag count as luggage.
== KA-103 | en | everyone | check-in | 2024-06-11 | 2025-10-14
title: Which documents you need
body: Every traveller needs a passport, babies included. An identity card is enough for citizens of the European Union on their way to France, not on their way to the United Kingdom. Children who travel without a parent need a letter of consent and a copy of the parent's passport. We check documents at the port and must refuse travel without them.
== KA-104 | en | everyone | fares | 2024-05-02 | 2026-02-03
title: Changing a booking
body: Flexible tickets may be changed without a fee until two hours before departure. Standard tickets may be changed for 15 euros a crossing until the day before. Saver tickets may not be changed; you can buy the change option for 9 euros within a day of booking. Differences in fare are always charged or refunded.
== KA-105 | en | everyone | fares | 2024-05-02 | 2025-11-20
title: Refunds when we cancel a sailing
body: If we cancel your sailing you choose between the next crossing with space, at no cost, and your money back within seven days. If the delay is longer than 90 minutes we give you something to eat and drink. After a night ashore that we caused we pay for a room up to 80 euros a person, for up to three nights, unless the weather was the cause.
== KA-106 | en | everyone | on board | 2024-07-08 | 2025-03-12
title: Bringing a dog or a cat on board
body: You may bring your dog or cat on board on the Dieppe route. On Salicorne they travel in kennels on deck 5, and a kennel is free of charge. On Marram you may book one of eight pet-friendly cabins. Your animal needs a microchip, a rabies vaccination at least 21 days old and, for the way to the United Kingdom, a tapeworm treatment noted by a vet one to five days before.
== KA-107 | en | everyone | on board | 2024-07-08 | 2026-01-22
title: Accessibility on our ships
body: Tell us at least 48 hours before you travel and we will park you beside a lift. Salicorne and Marram have two accessible cabins each; Sea Lavender and Chardon Bleu have level access but no cabins. Golden Samphire, being from 1989, has a lift to the tea room but not to the top deck. Assistance dogs stay with you everywhere, at no charge.
== KA-108 | en | everyone | on board | 2024-08-19 | 2025-06-05
title: Bicycles and electric bicycles
body: Bicycles cost 6 euros a crossing and roll on with the cars, first on and first off. Electric bicycles are carried like others, and you may charge the battery at the sockets on the bicycle deck. Cargo bikes longer than two metres need a car space.
== KA-109 | en | everyone | on board | 2024-09-30 | 2025-12-01
title: Eating on board
body: The bakery on Salicorne opens half an hour before departure and closes when the bread is gone, usually an hour before arrival. Marram serves hot meals for the first two and a half hours. The tea room on Golden Samphire keeps a table for people who travel alone. There are vegan and gluten-free dishes on every ship; on the fast craft, cold ones only.
== KA-110 | en | everyone | on board | 2025-01-15 | 2025-01-15
title: What to do if you lose something
body: Ask the purser first. After the crossing, write to care@samphire.example.com with the date, the ship and a description. We keep things for ninety days and then give them to charities in Newhaven and Dieppe. Post is free within both countries for anything below one kilo; teeth we send by courier.
== KA-111 | en | everyone | freight | 2024-04-22 | 2026-03-09
title: Booking freight with Samphire Line
body: Hauliers with an account book through the freight desk or by data exchange. We need the length, weight, goods, plate and, for the United Kingdom, the goods movement reference before the trailer reaches the gate. Freight check-in at Newhaven and Le Havre closes 90 minutes before departure. Drivers have a meal and a single cabin included.
== KA-112 | en | everyone | freight | 2024-04-22 | 2025-09-17
title: Dangerous goods
body: Tell us the UN number, class and packing group at least 24 hours ahead. We carry classes 2.1, 3, 8 and 9 in limited amounts on the freight ships and on the open deck of Marram. We never carry class 1 except 1.4S, nor class 7. A wrong declaration costs 500 euros and your place on the ship.
== KA-113 | en | everyone | company | 2025-02-10 | 2025-02-10
title: Where the name comes from
body: Samphire grows on the salt marshes at both ends of our first route. In English its name is a worn-down form of the French herbe de Saint-Pierre, the fisherman's saint; in French the marsh kind is called salicorne. The founders, a Newhaven pilot and a Dieppe chandler, could agree on the plant at once and on the language never.
== KA-114 | en | staff | operations | 2024-02-05 | 2025-02-18
title: Lashing freight on the car decks
body: Every trailer on Salicorne and Marram is secured with four lashings, two forward and two aft, when a wind of force 6 or less is forecast. From force 7 the number doubles. The bosun checks the tension after the first half hour at sea and writes the time in the deck log.
== KA-115 | en | staff | operations | 2024-02-05 | 2026-04-28
title: Closing check-in and taking late vehicles
body: The shift supervisor decides about late vehicles, nobody else. The question to ask is whether the ship can still leave on time with the ramp in order, not whether the driver has a good story. A vehicle taken late is written in the log with its plate, so that we can see whether the exception has become the rule.
== KA-116 | en | staff | operations | 2024-11-06 | 2025-11-25
title: Calling off a crossing for weather
body: The master decides; the superintendent may ask but not press. For the fast craft the limit is waves of 3.0 metres, for Golden Samphire force 8 on the beam. Decide three hours ahead where you can. Then, in this order: text messages, the website, the gate, hotels, the press. Never let passengers learn it from the board in the hall.
== KA-117 | en | staff | engineering | 2025-03-20 | 2026-02-16
title: Replacement dates of hydraulic hoses
body: Hoses of ramps and bow doors are replaced every 36 months, counted from the date stamped on the crimp and not from the day of fitting. The port engineer keeps the list and warns two months ahead. A hose whose stamp cannot be read counts as expired. There is a spare of every ramp hose in the Dieppe store.
== KA-118 | en | staff | engineering | 2025-05-13 | 2025-08-11
title: Reefer sockets on Salicorne
body: Salicorne has 24 reefer sockets on deck 3, in four groups of six, each group behind one breaker. A tripped reefer group on Salicorne is reset once only; after a second trip the electrician opens the group and the trailers move to free sockets. The temperature of each reefer on Salicorne is read every 60 minutes at sea, and the driver signs the sheet before landing.
== KA-119 | en | staff | engineering | 2024-10-01 | 2024-10-01
title: Shore power at Newhaven and Dieppe
body: Change over to the ship's own generators at the latest ninety minutes before departure. Two people, one at each end of the cable, with radios on channel 8. If a phase lamp is out, do not connect: the berth at Dieppe has bitten us before.
== KA-120 | en | staff | customer care | 2025-01-27 | 2026-05-06
title: How we answer complaints
body: Within two working days, by name, in the writer's language. Say what happened first, then that we are sorry, then what we do about it. Do not write "any inconvenience caused". Advisers may give up to 60 euros without asking; above that the lead decides the same day. If the press is copied in, tell Perpetua Oakshott before you answer.
== KA-121 | en | staff | customer care | 2025-01-27 | 2025-08-21
title: Compensation for late arrival
body: From one hour late on the short crossing, or one and a half on the long ones, passengers may ask for 25 percent of the fare; from twice that, 50 percent. Weather that endangers the ship and strikes by others are exceptions. Freight customers have what their contract says and nothing else, so look there first.
== KA-122 | en | staff | information technology | 2025-06-18 | 2025-06-18
title: When the booking system is down
body: Use the paper lists in the red folder at each gate: they are printed every night at 02:00 for the next day. Write the plate, the time and your initials. Do not take cards by calling out the numbers. When the system is back, two people enter the lists, one reading and one typing.
== KA-123 | en | staff | information technology | 2025-09-08 | 2026-06-30
title: Getting access to the warehouse tables
body: Ask your manager, who asks Apolline Grémonville. Access goes by site and by department: operations see their own port's incidents, sales their own accounts, people data stays with Human Resources. Access ends by itself after twelve months without use.
== KA-124 | en | staff | safety | 2024-12-09 | 2026-01-19
title: Muster stations and drills
body: Crew drills are held every Friday before the first departure, and within 24 hours when a quarter of the crew has changed. The muster list hangs by the galley door and has a paper copy on the bridge. A drill that went well gets one line in the log; a drill that went badly gets a page and a date for the next.
== KA-125 | en | staff | safety | 2025-07-02 | 2025-07-02
title: Dealing with a burning vehicle battery
body: Do not open the vehicle. Cool the floor pan with water from below, two hoses, at least one hour, and keep people upwind of the vents. A battery that has gone out may light again a day later: the vehicle leaves the ship first and stands fifteen metres from anything else.
== KA-126 | en | everyone | fares | 2025-10-06 | 2025-10-06
title: Group fares and schools
body: Ten people or more travelling together get the group fare, with one free place for every fifteen. Schools have one free adult for every ten pupils and may pay sixty days after the crossing. A French school party needs the stamped list of pupils at the border; a British one needs passports for all.
`;
