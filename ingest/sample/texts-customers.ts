/** Customers: id, name, segment, town, country, site, credit days, credit limit, discount, account manager, since. Invented firms. */
export const CUSTOMERS = `
== CU-1001 | Alderbrook Provender | food haulier | Hailsham | United Kingdom | uk | 45 | 85000 | 12 | E-129 | 2017-03-01
== CU-1002 | Tarn & Thistle Removals | removals | Horsham | United Kingdom | uk | 30 | 22000 | 6 | E-129 | 2019-05-20
== CU-1003 | Wishing Tree Nurseries | plants and flowers | Hassocks | United Kingdom | uk | 30 | 18000 | 5 | E-129 | 2018-02-11
== CU-1004 | Blackcap Cycling Holidays | tour operator | Lewes | United Kingdom | uk | 21 | 30000 | 10 | E-131 | 2016-01-15
== CU-1005 | Ferris & Dew Coaches | coach operator | Crawley | United Kingdom | uk | 21 | 26000 | 9 | E-131 | 2015-04-02
== CU-1006 | Merryweather School Journeys | school travel | Tunbridge Wells | United Kingdom | uk | 60 | 40000 | 14 | E-131 | 2014-09-09
== CU-1007 | Quarry Lane Timber | building materials | Haywards Heath | United Kingdom | uk | 30 | 15000 | 4 | E-129 | 2021-06-30
== CU-1008 | Saltmarsh Dairy Co-operative | chilled food | Pevensey | United Kingdom | uk | 45 | 120000 | 15 | E-129 | 2013-11-25
== CU-1009 | Pook's Hill Ales | drinks | Burwash | United Kingdom | uk | 30 | 12000 | 3 | E-129 | 2022-04-18
== CU-1010 | Corrigan Panel Freight | groupage haulier | Dartford | United Kingdom | uk | 30 | 95000 | 11 | E-129 | 2018-10-01
== CU-1011 | Nightjar Theatre Transport | theatre and events | London | United Kingdom | uk | 14 | 16000 | 2 | E-129 | 2020-08-13
== CU-1012 | Hollin & Sons Horse Transport | livestock | Plumpton | United Kingdom | uk | 14 | 9000 | 0 | E-129 | 2023-03-06
== CU-1013 | Larkfield Motorhome Club | club travel | Maidstone | United Kingdom | uk | 21 | 20000 | 8 | E-131 | 2019-01-10
== CU-1014 | Ember Row Antiques | antiques | Petworth | United Kingdom | uk | 14 | 6000 | 0 | E-131 | 2021-02-22
== CU-1015 | Winterbourne Glass | glass | Newhaven | United Kingdom | uk | 30 | 28000 | 6 | E-129 | 2016-07-04
== CU-1016 | Gullwing Vehicle Logistics | new cars | Southampton | United Kingdom | uk | 45 | 150000 | 16 | E-129 | 2015-10-19
== CU-1017 | Ashes & Elm Joinery | furniture | Heathfield | United Kingdom | uk | 30 | 11000 | 2 | E-129 | 2022-11-08
== CU-1018 | The Wandering Hen Tours | tour operator | Rye | United Kingdom | uk | 21 | 14000 | 7 | E-131 | 2020-02-03
== CU-1019 | Sandrock Aggregates | building materials | Hastings | United Kingdom | uk | 30 | 24000 | 5 | E-129 | 2017-12-12
== CU-1020 | Oakapple Fruit Growers | fruit | Faversham | United Kingdom | uk | 45 | 60000 | 10 | E-129 | 2014-05-27
== CU-1021 | Bexwell Pharma Couriers | medicines | Worthing | United Kingdom | uk | 30 | 70000 | 9 | E-129 | 2019-09-16
== CU-1022 | Cobalt Yard Cycles | bicycles | Brighton | United Kingdom | uk | 30 | 8000 | 1 | E-131 | 2023-06-01
== CU-1023 | Rumbelow Paper | paper | Sittingbourne | United Kingdom | uk | 45 | 52000 | 8 | E-129 | 2016-03-14
== CU-1024 | Dunnock Street Brass Band | club travel | Eastbourne | United Kingdom | uk | 14 | 4000 | 0 | E-131 | 2024-01-29
== CU-2001 | Vergers de la Béthune | fruit | Neufchâtel-en-Bray | France | fr | 45 | 64000 | 11 | E-130 | 2015-06-11
== CU-2002 | Transports Malaquis | groupage haulier | Rouen | France | fr | 30 | 110000 | 13 | E-130 | 2013-02-18
== CU-2003 | Laiterie du Petit Caux | chilled food | Envermeu | France | fr | 45 | 90000 | 12 | E-130 | 2016-09-05
== CU-2004 | Verrerie des Deux Vallées | glass | Blangy-sur-Bresle | France | fr | 30 | 75000 | 10 | E-130 | 2014-04-28
== CU-2005 | Autocars Falaise Blanche | coach operator | Fécamp | France | fr | 21 | 21000 | 8 | E-132 | 2017-01-23
== CU-2006 | Voyages Grand Large Scolaire | school travel | Amiens | France | fr | 60 | 33000 | 14 | E-132 | 2018-08-20
== CU-2007 | Marée Côte d'Opale | seafood | Boulogne-sur-Mer | France | fr | 14 | 45000 | 7 | E-130 | 2019-03-11
== CU-2008 | Déménagements Hirondelle | removals | Le Havre | France | fr | 30 | 17000 | 5 | E-130 | 2020-10-26
== CU-2009 | Pépinières de Sainte-Marguerite | plants and flowers | Sainte-Marguerite-sur-Mer | France | fr | 30 | 13000 | 4 | E-130 | 2018-05-07
== CU-2010 | Cidrerie du Pays d'Auge Nord | drinks | Pont-l'Évêque | France | fr | 30 | 19000 | 5 | E-130 | 2021-01-18
== CU-2011 | Éoliennes Services Manche | wind energy | Dieppe | France | fr | 45 | 130000 | 10 | E-130 | 2022-02-14
== CU-2012 | Librairie itinérante Calligramme | books | Dieppe | France | fr | 14 | 3000 | 0 | E-132 | 2024-03-25
== CU-2013 | Fret Vallée de Seine | groupage haulier | Gonfreville-l'Orcher | France | fr | 30 | 140000 | 15 | E-130 | 2012-12-03
== CU-2014 | Amicale des Camping-caristes Normands | club travel | Évreux | France | fr | 21 | 12000 | 8 | E-132 | 2019-11-04
== CU-2015 | Chevaux et Courses Transport | livestock | Deauville | France | fr | 14 | 15000 | 3 | E-130 | 2020-06-15
== CU-2016 | Papeterie d'Aubermesnil | paper | Aumale | France | fr | 45 | 38000 | 7 | E-130 | 2015-09-21
== CU-2017 | Fromagers du Bray Réunis | chilled food | Forges-les-Eaux | France | fr | 30 | 42000 | 9 | E-130 | 2017-07-17
== CU-2018 | Pharma Littoral Express | medicines | Abbeville | France | fr | 30 | 58000 | 8 | E-130 | 2021-04-12
== CU-2019 | Échappées à Vélo | tour operator | Lille | France | fr | 21 | 16000 | 9 | E-132 | 2022-05-30
== CU-2020 | Ateliers Bois Flotté | furniture | Saint-Valery-en-Caux | France | fr | 30 | 7000 | 1 | E-130 | 2023-10-09
`;

/** Names of contacts, each used once; combinations invented. */
export const CONTACT_NAMES = {
  uk: [
    "Imogen Tarrant-Vale",
    "Osbert Fernleigh",
    "Clemency Dray",
    "Rufus Appledram",
    "Thomasina Wick",
    "Evander Pell",
    "Marigold Stent",
    "Leopold Hask",
    "Xanthe Broomfield",
    "Quentin Sallow",
    "Hermia Kettlewell",
    "Alaric Poynings",
    "Verity Coldwaltham",
    "Jolyon Peasgood",
    "Sybil Overy",
    "Digby Farthingloe",
    "Minerva Tuck",
    "Ambrose Litlington",
    "Hetty Rottingdean",
    "Gideon Marlpit",
    "Lavinia Scrase",
    "Peregrine Nutley",
    "Constance Whapple",
    "Basil Ockenden",
    "Philippa Gatwicke",
    "Horatio Bolney",
    "Drusilla Fann",
    "Monty Harebeating",
    "Eulalia Strood",
    "Crispin Wivel",
    "Beatrix Ludlay",
    "Tobias Glynde-Moor",
    "Saffron Twineham",
    "Ewart Balcombe-Ash",
    "Nell Pyecombe",
    "Linus Chailey",
  ],
  fr: [
    "Capucine Estreville",
    "Gaspard Fontelaye",
    "Philomène Dampierre-Roc",
    "Basile Envronville",
    "Joséphine Canouville",
    "Honoré Belmesnil",
    "Eugénie Tocqueval",
    "Amaury Sassetot",
    "Blanche Ouville-Lys",
    "Télesphore Gueures",
    "Coline Avremesnil",
    "Ulysse Hocquélus",
    "Madeleine Thiédeville",
    "Octave Royville",
    "Apolline Sauchay",
    "Fulbert Auppegard",
    "Ninon Brachy-Morel",
    "Barthélemy Longueil",
    "Églantine Quiberville",
    "Norbert Bivillers",
    "Violaine Criel-Haut",
    "Sosthène Penly",
    "Mahaut Wanchy",
    "Léandre Biville",
    "Bérénice Tourville-Arc",
    "Achille Muchedent",
    "Ombeline Sévis",
    "Casimir Bellengreville",
    "Domitille Ancourt",
    "Raoul Martigny-Bec",
  ],
} as const;

/** What sales people noted beside a contact. */
export const CONTACT_NOTES = {
  uk: [
    "Prefers a call before nine, when the lorries are out.",
    "Reads e-mail in the evening only; urgent things by phone.",
    "Signs for the company up to 10,000 pounds.",
    "Asks for invoices as one file a month, never one a crossing.",
    "Always books the same cabin and likes to be told when it is taken.",
    "Was very patient about the strike in May. Send the good biscuits at Christmas.",
    "Speaks French well and is glad to use it.",
    "Do not send offers; wants a person.",
  ],
  fr: [
    "Joignable sur le quai, rarement au bureau.",
    "Préfère un message écrit, répond dans l'heure.",
    "Signe jusqu'à 15 000 euros, au-delà voir la direction.",
    "Demande toujours l'heure d'ouverture de la barrière fret.",
    "Parle anglais, mais pas au téléphone.",
    "Client fidèle, à prévenir en premier en cas d'annulation.",
    "Ne travaille pas le mercredi.",
  ],
} as const;
