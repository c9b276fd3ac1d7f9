import type { Config } from "../../shared/config.ts";

/**
 * People to act as, and what to ask first. Each question shows one thing that an answer over warehouse tables has to get
 * right; what it finds depends on who asks, so ask it again as somebody else.
 */
export const DEMO: NonNullable<Config["demo"]> = {
  users: {
    "ops-fr": {
      label: "Maëlys, port operations, Dieppe",
      groups: ["everyone", "staff", "ops"],
      attributes: { site: ["fr"] },
      language: "fr",
    },
    "sales-uk": {
      label: "Ottoline, freight sales, Newhaven",
      groups: ["everyone", "staff", "sales"],
      attributes: { site: ["uk"] },
      language: "en",
    },
    hr: {
      label: "Ingram, Human Resources, both sites",
      groups: ["everyone", "staff", "hr"],
      attributes: { site: ["uk", "fr"] },
      language: "en",
    },
    guest: { label: "A passenger, not signed in", groups: ["everyone"], language: "en" },
  },
  examples: [
    {
      question: "Why was the 06:30 Salicorne sailing from Dieppe cancelled on 3 November 2026?",
      as: "ops-fr",
      shows: {
        en: "A cause, cited down to the cell. A passenger asking the same is told nothing of it.",
        fr: "Une cause, citée jusqu'à la cellule. Un passager qui pose la question n'en apprend rien.",
      },
    },
    {
      question: "What quay rent does Alderbrook Provender pay for its trailers?",
      as: "sales-uk",
      shows: {
        en: "A contract term. To operations in Dieppe the contract does not exist.",
        fr: "Une clause de contrat. Pour l'exploitation à Dieppe, ce contrat n'existe pas.",
      },
    },
    {
      question: "What is Odile Marchepont's annual salary?",
      as: "hr",
      shows: {
        en: "Pay, for Human Resources alone, and never sent to an outside model.",
        fr: "Un salaire, pour les ressources humaines seules, jamais envoyé à un modèle extérieur.",
      },
    },
    {
      question: "How long before departure does car check-in close at Dieppe?",
      as: "guest",
      shows: {
        en: "Two rows that contradict each other, both shown with their dates.",
        fr: "Deux lignes qui se contredisent, montrées toutes deux avec leur date.",
      },
    },
    {
      question: "Toutes les combien de minutes note-t-on la température des reefers du Salicorne ?",
      as: "ops-fr",
      shows: {
        en: "A French answer from a French row and an older English one.",
        fr: "Une réponse en français, tirée d'une ligne française et d'une ligne anglaise plus ancienne.",
      },
    },
    {
      question: "What was the total revenue at Newhaven in the third quarter of 2026?",
      as: "sales-uk",
      shows: {
        en: "A total that the warehouse computed, not one guessed from passages.",
        fr: "Un total calculé par l'entrepôt, et non deviné à partir d'extraits.",
      },
    },
    {
      question: "What is Imogen Tarrant-Vale's phone number?",
      as: "sales-uk",
      shows: {
        en: "Personal data. Erase the contact and ask again: it is gone, from the cache too.",
        fr: "Une donnée personnelle. Effacez le contact et reposez la question : elle a disparu, du cache aussi.",
      },
    },
    {
      question: "Which ship sails to Santander on Sundays?",
      as: "guest",
      shows: {
        en: "A question that no row answers, so that is the answer.",
        fr: "Une question à laquelle aucune ligne ne répond, et c'est dit.",
      },
    },
  ],
};
