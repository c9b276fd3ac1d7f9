/**
 * Incidents reported at Dieppe, Boulogne and Le Havre, in the reporter's language.
 * Header: id, date, port, departure (`-` when no sailing is concerned), vessel, severity, effect (`cancelled`, `delayed N`,
 * `none`), reason, effect on other departures (`PORT HH:MM effect`), status, reporter, last change.
 */
export const INCIDENTS_FR = `
== INC-2603 | 2026-01-12 | DPE | 06:30 | V-01 | minor | delayed 50 | technical | | closed | E-112 | 2026-01-14
title: Salicorne: drencher valve stuck at Dieppe
cause: The drencher valve on deck 3 was stuck open by ice after a night at minus six degrees, and the deck could not be loaded until it was freed.
summary: Zéphyrin Lemarquant's deck crew freed the valve with warm water and drained the line. Loading started at 06:25 instead of 05:30. Nobody was hurt and no vehicle got wet.
action_taken: Trace heating ordered for the line. Until it is fitted the valve is turned by hand every two hours when frost is forecast.
== INC-2604 | 2026-01-27 | BLG | 11:00 | V-05 | moderate | cancelled | weather | | closed | E-116 | 2026-01-28
title: Chardon Bleu : traversée de 11 h annulée à Boulogne
cause: Des creux de 3,6 mètres dans la passe, au-dessus de la limite de 3,0 mètres du navire, ont fait annuler la traversée.
summary: Quatre-vingt-deux passagers étaient déjà enregistrés. Le bateau de 08 h 15 était rentré à Boulogne avec quarante minutes de retard après avoir attendu une accalmie.
action_taken: Passagers reportés au lendemain ou remboursés sur place. Le café du marché a servi des boissons chaudes, facture transmise à Dieppe.
== INC-2607 | 2026-02-10 | LEH | 21:30 | V-07 | minor | delayed 95 | port | | closed | E-117 | 2026-02-12
title: Obione : pont-bascule en panne au Havre
cause: Le pont-bascule du terminal affichait huit tonnes à vide, après une infiltration d'eau dans le capteur nord.
summary: Quatorze remorques ont dû être pesées à la main chez le voisin céréalier. Le départ a été donné à 23 h 05 et le retard a été rattrapé de moitié en mer.
action_taken: Capteur remplacé le 11 février. Une convention de pesée de secours est signée avec le silo voisin.
== INC-2609 | 2026-02-19 | DPE | - | V-01 | moderate | none | technical | | closed | E-125 | 2026-02-27
title: Salicorne: port stabiliser fin damaged in the locked basin
cause: The port stabiliser fin had not been housed before entering the basin and touched the sill at low speed, because the indicator light on the bridge had failed.
summary: Divers found the fin's leading edge bent over forty centimetres. The ship sailed with the fin locked in and a roll warning to passengers for nine days.
action_taken: Fin reconditioned on 27 February. The housing of both fins is now confirmed by the bosun by voice, whatever the light says.
== INC-2612 | 2026-03-04 | DPE | 06:30 | V-02 | minor | delayed 35 | border | | closed | E-113 | 2026-03-04
title: Marram: e-gates down at Dieppe
cause: The fingerprint readers at the border booths lost their connection for twenty-five minutes, and the officers went back to stamping by hand.
summary: Foot passengers waited in the hall; the queue reached the bakery counter. The master held the ship rather than leave fifty-four people behind.
action_taken: The border police were asked for a telephone number that is answered before seven in the morning.
== INC-2615 | 2026-03-30 | DPE | 06:30 | V-02 | serious | cancelled | technical | NHV 12:15 cancelled | closed | E-112 | 2026-04-07
title: Marram: blackout on the berth at Dieppe
cause: A short circuit in the shore-supply cable tripped both shaft generators while the ship was changing over to her own power.
summary: The ship was dark for eleven minutes with passengers on board, who were led off with torches. Emergency lighting worked as it should. One person sprained an ankle on the stairs to deck 6.
action_taken: Shore cable scrapped. The change-over is now done before boarding starts, at the latest ninety minutes before departure.
== INC-2617 | 2026-04-14 | DPE | 18:00 | V-03 | minor | delayed 25 | crew | | closed | E-113 | 2026-04-15
title: Golden Samphire : cuisinier manquant
cause: Le cuisinier de bord est resté bloqué dans le train de Rouen, et le navire ne peut pas partir sans service de repas au-delà de cent passagers.
summary: Isaure Bellencombre a trouvé un remplaçant au lycée hôtelier en dix-huit minutes. Le menu a été réduit à la soupe et aux tartines, sans plainte.
action_taken: Liste de remplaçants tenue à jour par le bureau de bord.
== INC-2620 | 2026-05-21 | DPE | 06:30 | V-01 | moderate | cancelled | strike | NHV 12:15 cancelled; NHV 09:00 cancelled; DPE 18:00 cancelled | closed | E-104 | 2026-05-22
title: Arrêt de travail des dockers à Dieppe
cause: Les dockers de Dieppe ont cessé le travail pendant vingt-quatre heures contre la nouvelle organisation des équipes de nuit du port.
summary: Aucune amarre n'a été prise de toute la journée. Quatre traversées annulées, 911 passagers reportés. Les chauffeurs ont dormi sur le parking du quai et ont reçu des paniers-repas.
action_taken: Accord signé le soir même entre le port et les équipes. Nous avons remercié les clients fret par écrit.
== INC-2622 | 2026-06-09 | LEH | 21:30 | V-06 | moderate | delayed 140 | technical | | closed | E-117 | 2026-06-16
title: Sea Kale: generator 3 lost at Le Havre
cause: The rotor of generator 3 rubbed against its stator after a bearing seized, and the reefer sockets on the upper deck lost power.
summary: Twenty-two refrigerated trailers ran on their own diesel for the night, with the drivers' consent. Two trailers of yoghurt were turned away because their units would not start.
action_taken: Rental generator on the weather deck until the new rotor arrives, promised for January 2027. Upper deck limited to thirty reefers.
== INC-2624 | 2026-06-25 | DPE | 18:00 | V-03 | minor | delayed 20 | passenger | | closed | E-112 | 2026-06-25
title: Golden Samphire: a swarm of bees on the gangway
cause: A swarm of bees settled on the handrail of the passenger gangway shortly before boarding.
summary: A beekeeper among the passengers, on the way home from a fair in Rouen, brushed the swarm into a box that had held cider. Nobody was stung. Boarding went over the car deck meanwhile.
action_taken: None needed. The beekeeper travelled first class and the bees travelled in the kennel room.
== INC-2627 | 2026-07-11 | BLG | 11:00 | V-04 | minor | delayed 55 | technical | | closed | E-116 | 2026-07-13
title: Sea Lavender : carte de commande du jet 3 mouillée
cause: De l'eau de lavage a coulé sur la carte de commande du jet 3, dont le capot n'avait pas été refermé après l'entretien.
summary: Le jet ne répondait plus à la barre au départ du quai. Le navire est resté à poste pendant qu'Électronique du Cap apportait une carte de prêt.
action_taken: Le capot est désormais fermé par deux vis au lieu d'un crochet, sur les deux navires rapides.
== INC-2629 | 2026-07-24 | DPE | 06:30 | V-01 | moderate | delayed 75 | port | | closed | E-113 | 2026-07-24
title: Salicorne : pont Colbert bloqué en position ouverte
cause: Le pont tournant de Dieppe est resté bloqué ouvert par la chaleur, et les voitures n'ont pas pu rejoindre le terminal.
summary: Les pompiers ont arrosé le tablier pendant une demi-heure pour le refroidir. Quarante voitures sont passées par l'avant-port sous escorte.
action_taken: Le port annonce un arrosage préventif au-delà de 33 degrés. Nous prévenons les clients par message dès 05 h 00 ces jours-là.
== INC-2631 | 2026-08-06 | DPE | 06:30 | V-01 | minor | delayed 30 | technical | | closed | E-120 | 2026-08-07
title: Salicorne: reefer sockets 7 to 12 tripped
cause: A damaged plug on a hired trailer let sea water into socket 9, which tripped the breaker of the whole group 7 to 12 on deck 3.
summary: Six reefers were without power for eighteen minutes. Their temperatures rose by less than one degree, and the drivers signed the log. The plug was cut off and kept as evidence.
action_taken: Hired trailers are looked at before they are plugged in. Breakers are reset once only, then the electrician is called.
== INC-2633 | 2026-08-20 | LEH | 21:30 | V-07 | minor | delayed 60 | technical | | closed | E-117 | 2026-08-24
title: Obione : pompe du laveur de fumées remplacée
cause: La garniture de la pompe de rejet du laveur de fumées a lâché, et le navire ne peut pas entrer au Havre sans laveur en service.
summary: Le chef mécanicien a basculé au gazole pour la traversée. La pompe de rechange était à Dieppe et est arrivée par taxi.
action_taken: Une pompe de rechange reste désormais à bord.
== INC-2636 | 2026-09-03 | BLG | 11:00 | V-05 | minor | none | passenger | | closed | E-116 | 2026-09-05
title: Chardon Bleu : doudou retrouvé dans un gilet de sauvetage
cause: Un enfant avait rangé son lapin en peluche dans un coffre à gilets pendant la démonstration de sécurité.
summary: Le lapin, nommé Monsieur Dune, a fait six traversées avant d'être trouvé à l'inspection hebdomadaire. Il a été rendu à Folkestone avec une carte d'embarquement à son nom.
action_taken: Les coffres à gilets sont plombés après chaque inspection.
== INC-2638 | 2026-09-17 | DPE | 06:30 | V-02 | moderate | delayed 110 | fog | | closed | E-112 | 2026-09-18
title: Marram: fog and a fishing fleet off Dieppe
cause: Visibility fell below two hundred metres while thirty scallop boats left the port ahead of the season, so the harbour master closed the channel.
summary: The ship waited on the berth with everybody on board. The captain had the bar opened and gave a talk about radar which was, by several accounts, excellent.
action_taken: None. The dates of the scallop season are now in the planning calendar.
== INC-2640 | 2026-10-02 | DPE | 06:30 | V-01 | moderate | delayed 65 | border | | closed | E-104 | 2026-10-05
title: Salicorne: long border queues on the second day of full registration
cause: Every traveller without a European passport had to give fingerprints and a photograph, and only two of the four booths were manned.
summary: Cars stood back to the roundabout by 05:10. Nineteen vehicles arrived at the ramp after closing and were taken all the same, which made the ship late at Newhaven.
action_taken: Written request to the border police for four booths before 07:00. Check-in opens half an hour earlier.
== INC-2642 | 2026-10-14 | DPE | 06:30 | V-02 | minor | delayed 40 | technical | | closed | E-125 | 2026-10-16
title: Marram : propulseur d'étrave en alarme
cause: Un filet dérivant s'est pris dans le propulseur d'étrave numéro 1 pendant la manœuvre d'accostage de la veille.
summary: Les plongeurs ont retiré onze mètres de filet à la marée de nuit. Le propulseur numéro 2 étant bridé, le commandant a demandé un remorqueur pour sortir.
action_taken: Signalement au comité des pêches. Aucun dommage à l'hélice.
== INC-2645 | 2026-10-22 | LEH | 21:30 | V-06 | moderate | cancelled | weather | | closed | E-117 | 2026-10-23
title: Sea Kale: gale off Antifer
cause: South-westerly gusts of 58 knots made it unsafe to leave the berth at Le Havre, and the pilots had stopped boarding.
summary: Thirty-one trailers stayed on the quay, nine of them refrigerated and plugged in. Customers were told at 17:40, before most drivers had set out.
action_taken: All trailers left on the next sailing.
== INC-2648 | 2026-11-03 | DPE | 06:30 | V-01 | serious | cancelled | technical | NHV 12:15 cancelled | open | E-112 | 2026-11-05
title: Salicorne: 06:30 from Dieppe cancelled, stern ramp hose burst
cause: The 06:30 sailing of Salicorne from Dieppe was cancelled because a hydraulic hose of the stern ramp burst at 05:40 during loading, and the ramp could not be raised and locked for sea.
summary: Thirty-one cars and nine lorries were already on board and had to be backed off. The hose had split along the crimp; it was stamped March 2023 and was eight months past its replacement date. The return sailing at 12:15 from Newhaven was cancelled too.
action_taken: Hose changed by the port engineer by 15:20. All ramp hoses in the fleet are being checked against their stamps; the result is due on 30 November.
== INC-2650 | 2026-11-12 | BLG | 11:00 | V-05 | minor | delayed 30 | tide | | closed | E-116 | 2026-11-12
title: Chardon Bleu : attente de la marée à Boulogne
cause: Une marée plus basse que prévu de trente centimètres, par vent d'est et haute pression, laissait trop peu d'eau sous la quille au poste 2.
summary: Départ retardé d'une demi-heure. Les cyclistes du groupe Échappées à Vélo en ont profité pour acheter du hareng.
action_taken: La pression atmosphérique est ajoutée au calcul de marée du bureau de port.
== INC-2651 | 2026-11-16 | DPE | - | V-01 | minor | none | technical | | open | E-125 | 2026-11-18
title: Salicorne : four de la boulangerie hors service
cause: La résistance haute du four a cédé, sans doute à cause de la farine accumulée dans le boîtier.
summary: Boulangerie Ango livre du pain cuit au lieu de pâte en attendant. Les croissants sont, de l'avis de l'équipage, moins bons.
action_taken: Pièce commandée, livraison prévue le 1er décembre.
`;
