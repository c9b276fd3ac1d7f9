export interface WidgetStrings {
  /** Of dates. */
  readonly locale: string;
  readonly open: string;
  readonly close: string;
  readonly title: string;
  readonly intro: string;
  readonly ai: string;
  readonly placeholder: string;
  readonly send: string;
  readonly stop: string;
  readonly again: string;
  readonly fresh: string;
  readonly you: string;
  readonly searching: string;
  readonly ready: (sources: number) => string;
  readonly sources: string;
  readonly source: (marker: number, title: string) => string;
  readonly back: string;
  readonly asOf: (moment: string) => string;
  readonly openRow: string;
  readonly good: string;
  readonly bad: string;
  readonly thanks: string;
  readonly stopped: string;
  readonly problem: (code: string) => string;
}

export const en: WidgetStrings = {
  locale: "en-GB",
  open: "Ask a question",
  close: "Close",
  title: "Ask the data",
  intro: "Ask about the company's tables. Every answer names the rows that it rests on.",
  ai: "Answers are written by AI: check their sources.",
  placeholder: "Your question",
  send: "Ask",
  stop: "Stop",
  again: "Try again",
  fresh: "New conversation",
  you: "You asked",
  searching: "Looking through the rows that you may see…",
  ready: (sources) => `Answer ready, ${sources} ${sources === 1 ? "source" : "sources"}.`,
  sources: "Sources",
  source: (marker, title) => `Source ${marker}: ${title}`,
  back: "Back to the answer",
  asOf: (moment) => `As of ${moment}`,
  openRow: "Open in its own system",
  good: "Good answer",
  bad: "Bad answer",
  thanks: "Thank you.",
  stopped: "Stopped. What is shown is not a whole answer.",
  problem(code) {
    switch (code) {
      case "offline":
        return "There is no connection. Check your network and try again.";
      case "interrupted":
      case "provider_stream_interrupted":
        return "The answer broke off. What is shown is not a whole answer.";
      case "unauthenticated":
        return "Your session has ended. Reload the page to sign in again.";
      case "origin_not_allowed":
        return "This page is not set up to ask. Tell the people who run it.";
      case "rate_limited":
      case "too_many_concurrent":
        return "Too many questions at once. Wait a moment and try again.";
      case "budget_exhausted":
        return "The budget for answers is used up for now.";
      case "question_too_long":
        return "That question is too long. Ask in fewer words.";
      default:
        return "There is no answer now. Please try again later.";
    }
  },
};

export const fr: WidgetStrings = {
  locale: "fr-FR",
  open: "Poser une question",
  close: "Fermer",
  title: "Interroger les données",
  intro: "Interrogez les tables de l'entreprise. Chaque réponse cite les lignes sur lesquelles elle repose.",
  ai: "Les réponses sont rédigées par une IA : vérifiez leurs sources.",
  placeholder: "Votre question",
  send: "Demander",
  stop: "Arrêter",
  again: "Réessayer",
  fresh: "Nouvelle conversation",
  you: "Vous avez demandé",
  searching: "Je parcours les lignes que vous pouvez consulter…",
  ready: (sources) => `Réponse prête, ${sources} ${sources === 1 ? "source" : "sources"}.`,
  sources: "Sources",
  source: (marker, title) => `Source ${marker} : ${title}`,
  back: "Retour à la réponse",
  asOf: (moment) => `État au ${moment}`,
  openRow: "Ouvrir dans son système",
  good: "Bonne réponse",
  bad: "Mauvaise réponse",
  thanks: "Merci.",
  stopped: "Arrêté. Ce qui est affiché n'est pas une réponse complète.",
  problem(code) {
    switch (code) {
      case "offline":
        return "Pas de connexion. Vérifiez votre réseau et réessayez.";
      case "interrupted":
      case "provider_stream_interrupted":
        return "La réponse s'est interrompue. Ce qui est affiché n'est pas une réponse complète.";
      case "unauthenticated":
        return "Votre session est terminée. Rechargez la page pour vous reconnecter.";
      case "origin_not_allowed":
        return "Cette page n'est pas configurée pour poser des questions. Signalez-le à ceux qui la gèrent.";
      case "rate_limited":
      case "too_many_concurrent":
        return "Trop de questions à la fois. Patientez un instant et réessayez.";
      case "budget_exhausted":
        return "Le budget des réponses est épuisé pour le moment.";
      case "question_too_long":
        return "Cette question est trop longue. Formulez-la plus brièvement.";
      default:
        return "Pas de réponse pour l'instant. Réessayez plus tard.";
    }
  },
};
