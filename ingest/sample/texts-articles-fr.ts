/** Knowledge articles in French; same form as the English ones. */
export const ARTICLES_FR = `
== KA-201 | fr | everyone | check-in | 2024-03-20 | 2025-04-03
title: Heures limites pour les voitures à Newhaven
body: À Newhaven, l'enregistrement des voitures ferme 45 minutes avant le départ. Les files ouvrent deux heures avant. Les voitures dont la hauteur dépasse 2,10 mètres, coffre de toit compris, doivent être annoncées à la réservation, sinon nous ne pouvons garantir la place.
== KA-202 | fr | everyone | on board | 2024-07-10 | 2025-03-14
title: Voyager avec un chien ou un chat
body: Vous pouvez emmener votre chien ou votre chat à bord sur la ligne de Dieppe. À bord du Salicorne, ils voyagent au chenil du pont 5 ; la place au chenil est gratuite. À bord du Marram, huit cabines accueillent les animaux. Il faut une puce, un vaccin contre la rage de plus de 21 jours et, vers le Royaume-Uni, un traitement contre le ténia fait par un vétérinaire un à cinq jours avant.
== KA-203 | fr | everyone | fares | 2024-05-06 | 2026-02-04
title: Modifier ou annuler une réservation
body: Le billet Souple se modifie sans frais jusqu'à deux heures avant le départ. Le billet Classique se modifie pour 15 euros par traversée jusqu'à la veille. Le billet Malin n'est ni modifiable ni remboursable, sauf option achetée dans les 24 heures. La différence de prix est toujours due, dans un sens comme dans l'autre.
== KA-204 | fr | everyone | fares | 2024-05-06 | 2025-11-21
title: Vos droits en cas d'annulation
body: Si nous annulons une traversée, vous choisissez entre la prochaine traversée disponible, sans frais, et le remboursement sous sept jours. Au-delà de 90 minutes d'attente, un repas léger vous est offert. Si vous devez passer la nuit à terre, nous prenons en charge l'hôtel jusqu'à 80 euros par personne, sauf lorsque la météo en est la cause.
== KA-205 | fr | everyone | on board | 2024-09-30 | 2025-12-02
title: La boulangerie du Salicorne
body: Le four du Salicorne est allumé à cinq heures et demie. La pâte vient de chez Boulangerie Ango, à Dieppe, et lève pendant le chargement. Croissants jusqu'à neuf heures, pain de marin toute la journée. Les invendus sont donnés au foyer des marins de Newhaven.
== KA-206 | fr | everyone | freight | 2024-04-24 | 2026-03-10
title: Réserver du fret
body: Les transporteurs sous contrat réservent au bureau fret ou par échange de données. Il nous faut la longueur, le poids, la marchandise, l'immatriculation et, vers le Royaume-Uni, la référence de mouvement avant l'arrivée à la barrière. Au Havre comme à Newhaven, le fret ferme 90 minutes avant le départ. Repas et cabine individuelle sont compris pour le chauffeur.
== KA-207 | fr | staff | engineering | 2025-05-15 | 2025-08-12
title: Prise reefer qui disjoncte à bord du Salicorne
body: Si une prise reefer disjoncte à bord du Salicorne, débranchez d'abord la remorque, puis prévenez l'officier de pont sur le canal 12. Le groupe de prises se réarme une seule fois. S'il disjoncte de nouveau, appelez l'électricien et déplacez les remorques vers des prises libres du pont 3. Notez la température de chaque remorque et faites signer le chauffeur.
== KA-208 | fr | staff | operations | 2024-02-07 | 2025-02-19
title: Accueil des véhicules électriques
body: Les véhicules électriques sont chargés au milieu du pont 3, jamais contre une cloison, avec un espace de soixante centimètres de chaque côté. Une batterie à plus de la moitié de sa charge ne pose pas de problème ; une batterie endommagée reste à quai. La recharge à bord est interdite.
== KA-209 | fr | staff | operations | 2024-06-03 | 2025-06-17
title: Navette des piétons à Dieppe
body: La navette tourne à partir de deux heures avant le départ, avec deux bus en été et un seul l'hiver. Le dernier passage a lieu vingt-cinq minutes avant le départ. Le conducteur compte les passagers à la montée et annonce le chiffre au bureau par radio, canal 6.
== KA-210 | fr | staff | operations | 2025-01-09 | 2026-05-25
title: Arrêt de travail au port : que faire
body: Dès qu'un préavis est connu, le chef d'escale prévient la direction, puis les clients fret par ordre de marchandises périssables. Ne jamais commenter le motif du mouvement. Les chauffeurs bloqués reçoivent un panier-repas toutes les six heures et l'accès aux douches. Les traversées annulées sont saisies avant minuit pour que les remboursements partent le lendemain.
== KA-211 | fr | staff | operations | 2025-04-07 | 2025-04-07
title: Fortes chaleurs à Dieppe
body: Au-delà de 33 degrés, le pont Colbert peut se bloquer. Le bureau envoie un message aux clients à 05 h 00, ouvre les files une heure plus tôt et fait passer les camions par l'avant-port. De l'eau est distribuée dans les files par l'équipe de quai, prise sur le compte du chef d'escale.
== KA-212 | fr | staff | customer care | 2025-01-29 | 2026-05-07
title: Répondre à une réclamation
body: Répondre sous deux jours ouvrés, en signant de son nom, dans la langue du client. Dire d'abord ce qui s'est passé, puis présenter des excuses, puis annoncer le geste. Un conseiller peut accorder jusqu'à 60 euros sans demander. On n'écrit jamais « gêne occasionnée ».
== KA-213 | fr | staff | safety | 2024-12-11 | 2026-01-20
title: Exercices d'abandon
body: L'exercice a lieu chaque vendredi avant le premier départ. Le rôle d'appel est affiché près de la cuisine et une copie papier se trouve en passerelle. Si un quart de l'équipage a changé, l'exercice est refait dans les 24 heures. Un exercice raté s'écrit en une page, avec la date du suivant.
== KA-214 | fr | staff | safety | 2025-08-25 | 2025-08-25
title: Homme à la mer
body: Crier, montrer du doigt, ne plus quitter des yeux. Jeter une bouée avec feu, prévenir la passerelle, appuyer sur le bouton qui marque la position. La manœuvre est au commandant ; le témoin, lui, ne bouge plus et continue de montrer.
== KA-215 | fr | staff | information technology | 2025-06-20 | 2025-06-20
title: Panne du logiciel de réservation
body: Prendre les listes papier dans le classeur rouge de la barrière, imprimées chaque nuit à 02 h 00. Noter la plaque, l'heure et ses initiales. Ne pas prendre de carte bancaire à la voix. Au retour du système, on saisit à deux : l'un lit, l'autre tape.
== KA-216 | fr | everyone | on board | 2025-03-03 | 2026-01-23
title: Voyager avec un handicap
body: Prévenez-nous au moins 48 heures avant le départ et nous vous placerons près d'un ascenseur. Le Salicorne et le Marram ont deux cabines adaptées chacun. Le Sea Lavender et le Chardon Bleu sont de plain-pied, sans cabine. Les chiens d'assistance restent avec vous partout, gratuitement.
`;
