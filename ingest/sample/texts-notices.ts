/** Service notices: id, language, audience, published, applies from. The newest word on a subject, whatever older articles say. */
export const NOTICES = `
== N-2601 | en | everyone | 2026-01-19 | 2026-02-01
title: Luggage trolleys at Newhaven
body: Trolleys at Newhaven take a one-pound coin or a token from the café. Please bring them back to the hall: three were found in the river last year.
== N-2602 | fr | everyone | 2026-01-26 | 2026-02-01
title: Travaux à la gare maritime de Boulogne
body: La salle d'attente de Boulogne est en travaux jusqu'au 20 mars. Une tente chauffée est installée côté marché aux poissons, et les toilettes du marché sont ouvertes à nos passagers.
== N-2604 | en | staff | 2026-03-16 | 2026-04-01
title: Lashing rule for trailers changed
body: From 1 April 2026 every trailer on Salicorne and Marram is secured with six lashings, whatever the forecast, after the insurer's visit in February. From force 7 the number is ten. Trailers with tanks keep the rule in their own sheet.
== N-2605 | en | everyone | 2026-04-20 | 2026-05-04
title: Charging electric bicycles is no longer allowed
body: From 4 May 2026 batteries of electric bicycles may not be charged on board. Sockets on the bicycle deck are switched off at sea. Removable batteries may stay on the bicycle; please don't take them to the lounges.
== N-2607 | en | everyone | 2026-05-11 | 2026-06-01
title: Kennels on Salicorne
body: From 1 June 2026 a kennel on Salicorne costs 12 euros a crossing. The kennel room has been rebuilt with heating, blankets and a window. Assistance dogs still travel with their owners at no charge.
== N-2608 | fr | everyone | 2026-05-11 | 2026-06-01
title: Chenil du Salicorne
body: À partir du 1er juin 2026, la place au chenil du Salicorne coûte 12 euros par traversée. Le local a été refait : chauffage, couvertures et fenêtre. Les chiens d'assistance voyagent toujours gratuitement avec leur maître.
== N-2610 | en | everyone | 2026-06-08 | 2026-06-15
title: Height limit at Folkestone
body: The viaduct at Folkestone has been measured again: no vehicle above 3.1 metres can reach the berth. The old signs said 3.3 metres. Roof boxes count.
== N-2612 | en | staff | 2026-08-31 | 2026-09-01
title: Working from home, three days on trial
body: From 1 September 2026 office staff may work from home three days a week, on trial until 28 February 2027. Port, ship and gate duties are not included. Managers agree the days with each team.
== N-2614 | en | everyone | 2026-09-21 | 2026-10-01
title: Earlier check-in for cars at Dieppe
body: From 1 October 2026 car check-in at Dieppe closes 75 minutes before departure, because border officers now take fingerprints and a photograph of travellers without a European passport. The lanes open three hours before. Foot passengers should come 90 minutes before departure.
== N-2615 | fr | everyone | 2026-09-21 | 2026-10-01
title: Dieppe : enregistrement avancé pour les voitures
body: À partir du 1er octobre 2026, l'enregistrement des voitures à Dieppe ferme 75 minutes avant le départ, parce que la police aux frontières relève désormais les empreintes et la photographie des voyageurs sans passeport européen. Les files ouvrent trois heures avant.
== N-2616 | en | everyone | 2026-09-25 | 2026-09-28
title: Winter timetable of Marram
body: From 28 September until the December docking Marram crosses at a lower speed and arrives 35 minutes later than printed. Departure times do not change.
== N-2618 | fr | staff | 2026-10-19 | 2026-10-26
title: Horaires d'hiver du bureau d'escale de Dieppe
body: À partir du 26 octobre, le bureau d'escale ouvre à 04 h 15. L'équipe du matin compte trois agents au lieu de deux jusqu'à ce que les quatre guérites de la police soient ouvertes.
== N-2619 | fr | staff | 2026-10-26 | 2026-11-02
title: Température des reefers à bord du Salicorne
body: À partir du 2 novembre 2026, la température de chaque reefer à bord du Salicorne est relevée toutes les 30 minutes, à la demande de l'assureur. La feuille reste au bureau du pont 3 et le chauffeur la signe avant le débarquement.
== N-2620 | en | everyone | 2026-11-04 | 2026-11-04
title: Apology to passengers of 3 November
body: Salicorne did not sail on the morning of 3 November. Everyone booked has been refunded or carried on a later crossing. If you are still waiting for your money, write to care@samphire.example.com and we will put it right the same day.
== N-2621 | fr | everyone | 2026-11-17 | 2026-12-07
title: Carénage du Marram
body: Le Marram sera en cale sèche du 7 au 19 décembre. Le Salicorne assure seul la ligne de Dieppe ; il n'y aura pas de traversée le mardi 8 et le mardi 15 décembre.
`;
