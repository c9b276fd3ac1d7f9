import { stemsOf } from "./understand-text.ts";

/**
 * A small general lexicon, English and French: what people call the attributes and things that company tables and lists
 * hold. It knows no table; it only says that `telephone`, `call` and `numéro` may mean a column `phone`.
 */

/** One concept a line: its id, then the words of both languages. A word may belong to several. */
const CONCEPTS = `
contact: contact talk speak reach correspondent liaison interlocuteur contacter joindre parler adresser
name: name named called nom nomme appelle denomination intitule surnomme
role: role title job position function occupation profession poste fonction titre metier grade emploi
phone: phone telephone numero tel mobile dial call ring landline appeler joindre
fax: fax telecopie
email: email mail courriel mel
website: website web homepage url site lien
address: address street adresse rue domicile
city: city town municipality located based ville commune localite situe trouve
country: country nation located based pays situe trouve
region: region area zone province district secteur departement
postal: zip postal postcode
place: place location located site venue where based lieu endroit emplacement situe trouve implante ou
birth: birth born birthday naissance ne nee naquit naitre
hire: hire hired join joined employed recruited engaged embauche engage recrute entre
death: death died die dead mort deces decede meurt mourut
age: age old older oldest young younger youngest vieux jeune ancien age
employee: employee staff worker colleague rep representative salesperson agent people person employe collaborateur collegue commercial personnel agent personne
person: person people who individual personne gens qui individu
manager: manager boss supervisor head chief lead report reports responsable chef superieur dirige hierarchique encadre
team: team department division group unit equipe departement service pole
owner: owner owned assignee assigned responsible charge proprietaire affecte responsable attribue titulaire
customer: customer client company firm societe entreprise buyer account purchaser acheteur compte
supplier: supplier vendor company firm societe entreprise supply supplies supplied provider provide provides maker manufacturer make makes made producer sell fournisseur fournit fournir livre fabricant fabrique vendeur propose
shipper: shipper carrier company firm societe entreprise transporter courier haulier forwarder transporteur
product: product item article good goods sku produit marchandise
category: category type kind class family genre categorie famille classe sorte
order: order ordered purchase purchased bought buy placed commande commander achat achete passe
detail: detail line item ligne
invoice: invoice bill billing billed facture facturation
payment: payment pay paid paiement paye reglement regle verse
price: price cost costs charge fee rate tariff expensive cheap cheaper dear dearer pricey prix cout coute tarif cher chere couter
amount: amount total sum value worth spend spent montant total somme valeur depense
freight: freight shipping carriage postage fret port
discount: discount rebate reduction remise rabais reduction
tax: tax vat duty taxe tva impot
revenue: revenue sales turnover income earnings takings revenu chiffre recette vente affaires
salary: salary wage pay compensation remuneration earn salaire paie traitement gagne
budget: budget
margin: margin profit marge benefice rentabilite
quantity: quantity unit count number qty piece volume quantite nombre unite combien
stock: stock inventory warehouse hold held storage available inventaire entrepot disponible reserve
reorder: reorder reordered replenish restock reapprovisionnement reappro recommander
discontinued: discontinued obsolete retired sold active available arrete abandonne retire vendu actif disponible commercialise
packaging: package packaged packaging pack packed wrapped bottle box jar can bag glass case crate carton tin emballage emballe conditionne conditionnement bouteille boite sac pot caisse verre
contract: contract agreement deal contrat accord
liability: liable liability responsable responsabilite
leadtime: lead delai approvisionnement
clause: clause term condition provision modalite terme
renewal: renew renewal renewed extension renouvellement reconduction renouvele prolongation
notice: notice preavis
penalty: penalty fine liquidated penalite amende
expiry: expire expires expired expiry expiration echeance valid valable validite
warranty: warranty guarantee garantie
shipped: ship shipped sent send dispatched dispatch despatched deliver delivered delivery expedie expedition envoye envoi parti livre livraison
required: required due deadline needed requis exige echeance limite attendu delai
status: status state progress statut etat avancement
priority: priority urgency severity importance priorite urgence gravite criticite
cause: cause caused reason why because root cause raison motif origine pourquoi
resolution: resolution solution fix fixed resolved remedy solved repair resolu corrige corrige repare
description: description about describe cover contain summary note notes comment decrit resume commentaire remarque couvre contient comprend
date: date day when jour quand
time: time hour clock heure horaire
year: year an annee
month: month mois
duration: duration long lasted last length duree longtemps dure
delay: delay late delayed lateness retard retarde
start: start started begin began begun open opened launch launched since debut commence ouvre ouvert lance depuis
end: end ended finish finished close closed until fin fini termine ferme cloture jusqu
create: created founded established built filed opened raised introduced cree fonde etabli construit ouvert depose
builder: built build builder constructor constructed constructeur construit
update: updated changed modified revised mis modifie revise jour
depart: depart departure departs left leave leaves sail depart part partir quitte
arrive: arrive arrives arrival arrivee arrive
origin: origin from source origine provenance
destination: destination bound to vers
port: port harbour harbor terminal quay quai
flag: flag flagged fly flies pavillon battant
home: home hometown live lives living reside resides residence domicile habite vit attache
drydock: dry dock docking drydock cale seche carenage
vessel: vessel ship boat ferry navire bateau
vehicle: vehicle car lorry truck van vehicule voiture camion
route: route crossing connection liaison traversee ligne trajet
sailing: sailing voyage trip crossing journey traversee voyage
incident: incident accident event problem issue outage breakdown failure evenement probleme panne avarie
ticket: ticket case request complaint demande dossier reclamation plainte
passenger: passenger traveller passager voyageur
booking: booking book booked reservation reserve reserver
capacity: capacity seats maximum max capacite places maximal
weight: weight heavy weigh weighs heavier poids lourd pese masse
height: height tall high taller higher hauteur haut taille
length: length long longer longueur long
width: width wide largeur large
size: size dimension big large bigger taille grand dimension surface
speed: speed fast faster quick vitesse rapide
colour: colour color couleur
distance: distance far kilometre mile loin
language: language speak speaks fluent fluently tongue langue parle couramment
education: degree study studied graduated doctorate phd university diploma diplome etudie etudes universite doctorat
policy: policy rule guideline politique regle reglement consigne
document: document article page manual guide procedure fiche
site: site office branch store shop depot bureau agence magasin succursale
part: part component spare piece composant rechange
stockout: shortage rupture
allowance: allowance allowed entitled entitlement droit autorise
holiday: holiday leave vacation conge vacances
result: result score outcome won win wins victory resultat gagne victoire remporte
winner: winner champion won win vainqueur gagnant laureat
opponent: opponent against defeated beat rival adversaire contre battu
competition: competition tournament championship cup event race match game competition tournoi championnat coupe course
club: club team side squad equipe
season: season saison
league: league division ligue
film: film movie picture cinema
show: show series television tv programme program serie emission
play: role character play played plays starred star acted actor actress joue personnage acteur actrice interprete
album: album record disque
song: song single track chanson titre morceau
award: award prize nomination medal honour honor prix recompense medaille distinction
vote: vote ballot voix suffrage
party: party parti
election: election scrutin
candidate: candidate candidat
population: population inhabitants habitants resident
rank: rank place position finish finished ranked rang classement classe
director: director directed realisateur realise directeur
author: author writer wrote written ecrit auteur ecrivain
publisher: publisher published editeur publie parution
artist: artist singer performer musician artiste chanteur musicien
release: released release sorti sortie paru
rating: rating rated stars note avis evaluation
code: code identifier id reference ref identifiant
number: number numero
level: level threshold niveau seuil
office: elected elect office mandate elu mandat
school: school college ecole lycee
country-de: germany german allemagne allemand
country-fr: france french francais
country-be: belgium belgian belgique belge
country-uk: uk britain british kingdom united anglais royaume uni britannique england english angleterre
country-us: usa us states america american etats unis americain amerique
country-es: spain spanish espagne espagnol
country-it: italy italian italie italien
country-ch: switzerland swiss suisse
country-at: austria austrian autriche autrichien
country-nl: netherlands dutch holland bas neerlandais hollande hollandais
country-se: sweden swedish suede suedois
country-dk: denmark danish danemark danois
country-no: norway norwegian norvege norvegien
country-fi: finland finnish finlande finlandais
country-pl: poland polish pologne polonais
country-pt: portugal portuguese portugais
country-ie: ireland irish irlande irlandais
country-br: brazil brazilian bresil bresilien
country-mx: mexico mexican mexique mexicain
country-ar: argentina argentine
country-jp: japan japanese japon japonais
country-cn: china chinese chine chinois
country-in: india indian inde indien
country-au: australia australian australie australien
country-ca: canada canadian canadien
country-ru: russia russian russie russe
city-ldn: london londres
season-summer: summer ete
season-winter: winter hiver
monday: monday lundi
tuesday: tuesday mardi
wednesday: wednesday mercredi
thursday: thursday jeudi
friday: friday vendredi
saturday: saturday samedi
sunday: sunday dimanche
dog: dog pet animal chien animaux
refund: refund refunded reimbursement remboursement rembourse
cancel: cancel cancelled cancellation canceled annule annulation annuler
weather: weather storm wind meteo tempete vent
engine: engine motor moteur
safety: safety security securite surete
training: training course formation
insurance: insurance insured assurance assure
maintenance: maintenance servicing entretien
quarter: quarter trimestre
week: week semaine
hour: hour heure
minute: minute min
fuel: fuel bunker carburant
crew: crew equipage
cargo: cargo load goods cargaison fret marchandise
rate: rate percentage percent taux pourcentage
`;

/** Words of questions that carry no content: never searched for, never needed in the rows. */
const STOP_WORDS = `
a an the this that these those of in on at to for from by with about into over under between among as than then and or but
nor if so not no is are was were be been being am do does did done has have had having can could shall should will would may
might must i me my we us our ours you your he him his she her it its they them their who whom whose what which when where why
how there here s t d ll re ve m don doesn didn isn aren wasn weren hasn haven please any some each every all both either neither
just only also too very much many more most less least up out off down per via again ever yet already still now currently today
le la les l un une des du de d ce cet cette ces c au aux en dans par pour sur sous avec sans chez entre vers et ou ni mais donc or
car que qu qui quoi dont ou quel quelle quels quelles lequel laquelle lesquels lesquelles quand comment pourquoi combien est sont
etait etaient sera seront fut furent soit ete etre ai as a avons avez ont avait avaient aura eu avoir y n ne pas plus moins je j me
moi mon ma mes tu te toi ton ta tes il elle on nous notre nos vous votre vos ils elles leur leurs se son sa ses si tout toute tous
toutes tres aussi deja encore actuellement maintenant ci t merci
`;

/** Words that help to ask and that rows need not hold: "give me", "do we have", "on file". */
const LIGHT_WORDS = `
give gave given get got getting make take took put need want know known tell show find list name say said see use used using exist
come comes came happen happened happening look work works mean means like long way thing things one ones file record records data
information info details various different same other another exactly currently actually really respectively total tell kind sort
short brief profile summary summarise summarize overview describe explain compare between offer carry carries sell sells have hold
cover covers contain contains include includes consist number provide first last new next
donner donne donnez dire dites dit faire fait font prendre mettre mis falloir faut vouloir veux veut savoir sait connaitre connait
montrer montre trouver liste lister citer cite nommer nomme utiliser utilise exister existe venir vient passer passe arriver avoir
signifie chose choses fichier donnees information informations differents differentes autre autres meme exactement actuellement
resume resumer resumez presente presentez decris decrire expliquer explique comparer offre appelle appelait trouve peut peux pouvoir
etre sert appeler contient comprend couvre temps assure assurer effectue effectuer
serve serves served desservir desservez prochain prochaine suivant suivante exact exacte
`;

/** Head nouns that say nothing without their modifier: an "e-mail address" is not an address. */
const GENERIC_HEADS = `number address name code date time amount value level rate charge type status title id figure size count cost price
policy rule hours period terms numero adresse nom date heure montant valeur niveau taux type statut titre taille cout prix regle horaires`;

function stemSet(words: string): ReadonlySet<string> {
  return new Set(
    words
      .split(/\s+/)
      .filter((w) => w !== "")
      .flatMap(stemsOf),
  );
}

function conceptIndex(): ReadonlyMap<string, readonly string[]> {
  const index = new Map<string, string[]>();
  for (const line of CONCEPTS.trim().split("\n")) {
    const colon = line.indexOf(":");
    const id = line.slice(0, colon);
    for (const stem of stemSet(line.slice(colon + 1))) {
      const ids = index.get(stem);
      if (ids) ids.push(id);
      else index.set(stem, [id]);
    }
  }
  return index;
}

/** Made by the first question, not at start-up: stemming the lexicon takes longer than starting all the rest. */
function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

const byStem = once(conceptIndex);
const stop = once(() => new Set(STOP_WORDS.split(/\s+/).filter((w) => w !== "")));
const light = once(() => stemSet(LIGHT_WORDS));
const generic = once(() => stemSet(GENERIC_HEADS));

/** Concept ids of a word, by its stems; empty when the lexicon does not know it. */
export function conceptsOf(stems: readonly string[]): readonly string[] {
  const [english, french] = stems.map((stem) => byStem().get(stem));
  if (!english || !french) return english ?? french ?? [];
  return [...new Set([...english, ...french])];
}

/** Whether a folded word is a function word of either language. */
export function isStopWord(folded: string): boolean {
  return stop().has(folded);
}

/** Whether a word only helps to ask. */
export function isLight(stems: readonly string[]): boolean {
  return stems.some((stem) => light().has(stem));
}

/** Whether a word, as the head of a noun phrase, needs its modifier to mean anything. */
export function isGenericHead(stems: readonly string[]): boolean {
  return stems.some((stem) => generic().has(stem));
}

/** What kind of value answers a question. */
export type AnswerType =
  | "person"
  | "place"
  | "date"
  | "money"
  | "count"
  | "duration"
  | "cause"
  | "manner"
  | "thing";

/** Concepts whose columns hold each kind of value. */
export const TYPE_CONCEPTS: Readonly<Record<AnswerType, readonly string[]>> = {
  person: [
    "contact",
    "employee",
    "person",
    "manager",
    "owner",
    "customer",
    "supplier",
    "winner",
    "author",
    "director",
    "artist",
    "candidate",
    "publisher",
    "play",
    "shipper",
  ],
  place: ["place", "city", "country", "region", "address", "site", "port", "destination", "origin"],
  date: [
    "date",
    "time",
    "year",
    "birth",
    "hire",
    "start",
    "end",
    "create",
    "shipped",
    "required",
    "expiry",
    "month",
    "release",
  ],
  money: ["price", "amount", "freight", "revenue", "salary", "payment", "budget", "tax", "penalty", "refund"],
  count: ["quantity", "number", "stock", "capacity", "level", "population", "vote"],
  duration: ["duration", "delay", "notice", "time"],
  cause: ["cause"],
  manner: ["resolution", "description", "packaging", "result", "rank"],
  thing: [],
};
