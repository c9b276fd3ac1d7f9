/** Support tickets in French; same form as the English ones. */
export const TICKETS_FR = `
== T-5002 | 2026-01-13 | 2026-01-14 | fr | CU-2003 | téléphone | high
subject: Deux camions de crème restés à quai
body: Le pont 3 du Salicorne était gelé hier matin et nos deux camions sont partis avec cinquante minutes de retard. Le client anglais a refusé un tiers de la livraison.
resolution: Relevés de température envoyés : jamais plus de 3,8 degrés. Le client a accepté la marchandise le lendemain.
== T-5004 | 2026-01-28 | 2026-01-30 | fr | | formulaire | normal
subject: Remboursement de la traversée de Boulogne
body: Nous étions quatre, enregistrés depuis vingt minutes, quand on nous a annoncé les creux. Merci pour le chocolat chaud. Est-ce que le chien est remboursé aussi ?
resolution: Quatre passagers et un chien remboursés sur la carte le 30 janvier.
== T-5006 | 2026-02-11 | 2026-02-13 | fr | CU-2013 | portail | normal
subject: Pesée contestée au Havre
body: Votre bascule nous annonce huit tonnes de trop. À ce compte-là, nous transportons du plomb. Merci d'annuler le supplément de 190 euros.
resolution: Capteur défaillant reconnu, supplément annulé. La pesée chez le voisin céréalier fait foi.
== T-5008 | 2026-02-24 | 2026-02-25 | fr | CU-2009 | e-mail | low
subject: Horaires de la barrière fret
body: Mes chauffeurs me demandent toujours la même chose et je n'ai jamais la réponse : à quelle heure ouvre la barrière fret à Dieppe le dimanche ?
resolution: À 03 h 30, dimanche compris. Plan de la barrière envoyé en pièce jointe.
== T-5009 | 2026-03-05 | 2026-03-06 | fr | | e-mail | normal
subject: File d'attente jusqu'aux croissants
body: Cinquante minutes debout avec ma mère de 84 ans parce que les lecteurs d'empreintes étaient en panne. Il n'y avait pas une chaise de libre.
resolution: Excuses présentées. Vingt pliants sont désormais rangés derrière le comptoir et proposés dès qu'il y a de l'attente.
== T-5011 | 2026-03-23 | 2026-03-25 | fr | CU-2006 | téléphone | normal
subject: Liste d'élèves pour le 12 mai
body: Est-ce qu'il faut le tampon de l'académie ou celui du collège suffit ? L'an dernier, on nous a fait recommencer sur le quai.
resolution: Le tampon du collège suffit, sur chaque page. Modèle de liste envoyé.
== T-5013 | 2026-04-09 | 2026-04-10 | fr | CU-2002 | portail | high
subject: Remorque manquante à Newhaven
body: La remorque TM-418 est montée à bord lundi et n'est, d'après vous, jamais descendue. Elle mesure treize mètres soixante.
resolution: Elle était descendue en premier et garée derrière l'atelier par politesse. Livrée avec une heure de retard.
== T-5015 | 2026-04-16 | 2026-04-17 | fr | | formulaire | low
subject: La soupe du Golden Samphire
body: On s'est excusé de nous servir « seulement » une soupe et des tartines. C'était la meilleure soupe de l'année. Pourrait-on avoir la recette ?
resolution: Recette envoyée : poireaux, pommes de terre, beurre salé, et salicornes à la fin, sans cuisson.
== T-5017 | 2026-05-05 | 2026-05-07 | fr | CU-2019 | e-mail | normal
subject: Vélos électriques non rechargés
body: Onze de nos clients sont arrivés à Folkestone avec des batteries vides. Votre aide en ligne en anglais autorise encore la recharge.
resolution: La recharge est interdite depuis le 4 mai. Bon d'achat de 60 euros et mise à jour demandée.
== T-5019 | 2026-05-22 | 2026-05-26 | fr | CU-2007 | téléphone | high
subject: Marée perdue pendant l'arrêt de travail
body: Cent vingt caisses de soles pour Newhaven le 21. Le poisson n'attend pas les négociations. Qui paie ?
resolution: Le contrat exclut les arrêts de travail de tiers. Geste commercial : prochain passage offert, accord de Placide Bréauté-Lenormand.
== T-5021 | 2026-06-02 | 2026-06-03 | fr | | formulaire | normal
subject: Chenil devenu payant
body: La page d'aide dit que le chenil du Salicorne est gratuit et on m'a demandé 12 euros au guichet. Le chien n'a rien vu, moi si.
resolution: Le tarif de 12 euros s'applique depuis le 1er juin, la page n'était pas à jour. Remboursé pour cette fois.
== T-5023 | 2026-06-26 | 2026-06-26 | fr | | e-mail | low
subject: Merci pour les abeilles
body: Je suis l'apiculteur du 25 juin. L'essaim va bien, il est installé à Lewes dans un pommier et la boîte de cidre a été rendue.
resolution: Photographie accrochée dans le bureau d'escale. Un pot de miel est arrivé en août.
== T-5025 | 2026-07-13 | 2026-07-15 | fr | CU-2005 | téléphone | normal
subject: Car de 49 places en retard à Folkestone
body: La carte mouillée du Sea Lavender nous a coûté cinquante-cinq minutes et une visite de Canterbury en courant.
resolution: Remise de 25 pour cent sur la traversée, conformément aux règles de compensation.
== T-5027 | 2026-07-25 | 2026-07-28 | fr | | formulaire | normal
subject: Pont bloqué par la chaleur
body: Nous avons attendu deux heures en plein soleil devant le pont Colbert. De l'eau aurait été la bienvenue avant la première heure.
resolution: Le stock d'eau est passé de 200 à 600 bouteilles, distribuées dès l'ouverture des files.
== T-5029 | 2026-08-07 | 2026-08-10 | fr | CU-2018 | portail | high
subject: Coupure de courant sur nos remorques
body: Nos deux remorques de vaccins étaient sur les prises 8 et 10 du Salicorne le 6 août. Il nous faut le relevé complet, minute par minute si possible.
resolution: Coupure de dix-huit minutes, hausse maximale de 0,7 degré. Relevé et photographie de la fiche défectueuse transmis.
== T-5031 | 2026-08-21 | 2026-08-24 | fr | CU-2010 | e-mail | normal
subject: Palettes de cidre renversées
body: Deux palettes sur dix-huit se sont couchées entre Le Havre et Newhaven. Le pont devait sentir bon.
resolution: Sanglage insuffisant au chargement chez le client, photographies à l'appui. Nettoyage non facturé.
== T-5033 | 2026-09-05 | 2026-09-05 | fr | | formulaire | low
subject: Monsieur Dune est rentré
body: Le lapin de ma fille a fait six traversées sans elle et elle veut savoir s'il a eu le mal de mer.
resolution: Non, d'après le commandant, qui l'a gardé une nuit en passerelle.
== T-5035 | 2026-09-10 | 2026-09-14 | fr | CU-2011 | portail | high
subject: Pales d'éolienne de 24 mètres
body: Trois convois en novembre, 24 mètres et 18 tonnes chacun. L'Obione les prend-elle au pont principal, et avec quel préavis ?
resolution: Oui, au pont principal, préavis de dix jours et passage de nuit. Plan de chargement validé par Melchior Étretat-Duval.
== T-5037 | 2026-09-18 | 2026-09-21 | fr | | e-mail | normal
subject: Brume, radar et retard
body: Cent dix minutes de retard et pas une plainte autour de moi : la conférence du commandant était passionnante. J'ai toutefois raté mon train de 13 h 40.
resolution: Billet de train remboursé, 46 euros. Compliments transmis.
== T-5039 | 2026-10-05 | 2026-10-07 | fr | | formulaire | normal
subject: Enregistrement à Dieppe : 45 ou 75 minutes ?
body: Le courriel de confirmation dit 45 minutes et le panneau du rond-point dit 75. Nous étions à 60 et nous avons failli rester.
resolution: 75 minutes depuis le 1er octobre. Le modèle de courriel est corrigé.
== T-5041 | 2026-10-15 | 2026-10-19 | fr | CU-2017 | téléphone | normal
subject: Retard du Marram et fromages
body: Quarante minutes, ce n'est rien pour un camembert, mais c'est un créneau perdu chez notre client de Croydon. Peut-on avoir une attestation ?
resolution: Attestation de retard envoyée le jour même, avec la cause : un filet dans le propulseur.
== T-5043 | 2026-10-23 | | fr | CU-2001 | portail | high
subject: Pommes bloquées au Havre
body: Quatre remorques sont restées à quai à cause du coup de vent du 22. Deux étaient branchées, deux non. Il nous faut l'état des prises de cette nuit-là.

== T-5045 | 2026-11-04 | 2026-11-05 | fr | CU-2004 | téléphone | high
subject: Verre en attente après l'annulation du 3 novembre
body: Neuf camions ont été redescendus du Salicorne, dont deux à nous. Quand passent-ils, et à quel prix ?
resolution: Passés le 4 novembre à 06 h 30 au prix prévu. Stationnement non facturé.
== T-5047 | 2026-11-13 | 2026-11-13 | fr | CU-2019 | e-mail | low
subject: Harengs
body: Votre demi-heure d'attente à Boulogne a été très bien employée. Le groupe demande si la marée peut être basse aussi la prochaine fois.
resolution: Transmis à la lune.
== T-5050 | 2026-11-19 | | fr | CU-2012 | formulaire | normal
subject: Une librairie roulante à bord
body: Notre camion fait 3,05 mètres de haut et contient quatre mille livres. Passe-t-il à Folkestone, et pouvons-nous ouvrir la porte pendant la traversée ?

`;
