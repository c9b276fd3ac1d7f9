import type { Language } from "../../shared/analysis.ts";
import type { Answer, Citation } from "../../shared/ports/answer.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { cellText } from "../answer/verify-claims.ts";
import { chatTexts } from "./chat-texts.ts";

/** Messages as Teams takes them. Limits: Microsoft, "Bot messages with AI-generated content" and "Message size", read 2026-11. */
export type Body = Readonly<Record<string, unknown>>;

/** A message is at most about 100 kB of UTF-16; the text is what grows. */
export const MAX_TEXT = 25_000;
const MAX_CITATIONS = 20;
const MAX_NAME = 80;
const MAX_ABSTRACT = 160;
const MAX_ROWS = 6;
const MAX_CELLS = 12;

export interface AnswerMessage {
  readonly answer: Answer;
  readonly text: string;
  readonly language: Language;
  /** Models to ask the same of; none leaves the choice out. */
  readonly models: readonly string[];
  readonly feedback: boolean;
}

/** An answer with Teams' own label, citations and feedback, and a card for evidence and models. */
export function answerMessage({ answer, text, language, models, feedback }: AnswerMessage): Body {
  const texts = chatTexts(language);
  const facts = [
    texts.written(answer.model),
    ...(answer.asOf === "" ? [] : [texts.asOf(moment(answer.asOf))]),
  ];
  const card = actionsCard(answer, language, models);
  return {
    type: "message",
    textFormat: "markdown",
    text: `${cut(text, MAX_TEXT)}\n\n${facts.join(" · ")}`,
    ...(feedback ? { channelData: { feedbackLoop: { type: "default" } } } : {}),
    entities: [aiEntity(answer.citations)],
    ...(card ? { attachments: [card] } : {}),
  };
}

/** One root entity: with two, Teams refuses the message. */
function aiEntity(citations: readonly Citation[]): Body {
  return {
    type: "https://schema.org/Message",
    "@type": "Message",
    "@context": "https://schema.org",
    "@id": "",
    additionalType: ["AIGeneratedContent"],
    citation: citations.slice(0, MAX_CITATIONS).map((citation) => ({
      "@type": "Claim",
      position: citation.marker,
      appearance: {
        "@type": "DigitalDocument",
        name: cut(`${citation.table}: ${citation.title}`.replace(/\s+/g, " "), MAX_NAME),
        abstract: cut(citation.excerpt.replace(/\s+/g, " "), MAX_ABSTRACT),
        ...(isWeb(citation.url) ? { url: citation.url } : {}),
      },
    })),
  };
}

function actionsCard(answer: Answer, language: Language, models: readonly string[]): Body | undefined {
  const texts = chatTexts(language);
  const rows = [...new Set(answer.citations.map((citation) => citation.id))].slice(0, MAX_CITATIONS);
  const actions: Body[] = [];
  if (rows.length > 0) {
    actions.push({
      type: "Action.Execute",
      title: texts.evidence,
      verb: "evidence",
      data: { rows, language },
    });
  }
  const body: Body[] = [];
  if (models.length > 1) {
    body.push({
      type: "Input.ChoiceSet",
      id: "model",
      label: texts.anotherModel,
      value: models[0],
      choices: models.map((model) => ({ title: model, value: model })),
    });
    actions.push({ type: "Action.Execute", title: texts.anotherModel, verb: "again", data: { language } });
  }
  return actions.length === 0 ? undefined : attachment({ ...CARD, body, actions });
}

/** The rows behind an answer, as the person who asks for them may see them. Cards show text as text, once Markdown is undone. */
export function evidenceCard(rows: readonly Evidence[], language: Language): Body {
  const texts = chatTexts(language);
  if (rows.length === 0) return { ...CARD, body: [block(texts.noEvidence)] };
  return {
    ...CARD,
    body: rows.slice(0, MAX_ROWS).flatMap((row) => [
      { ...block(plain(row.title)), weight: "Bolder" },
      block(plain(row.table)),
      {
        type: "FactSet",
        facts: row.cells.slice(0, MAX_CELLS).map(({ column, value }) => ({
          title: plain(column),
          value: plain(cut(cellText(value), 300)),
        })),
      },
    ]),
  };
}

/** 1.5: the newest that every Teams client draws. */
const CARD = {
  type: "AdaptiveCard",
  $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
  version: "1.5",
} as const;

export function attachment(content: Body): Body {
  return { contentType: "application/vnd.microsoft.card.adaptive", content };
}

function block(text: string): Body {
  return { type: "TextBlock", text, wrap: true };
}

/** Adaptive Cards take Markdown links and lists in text: their signs are shown, not obeyed. */
function plain(text: string): string {
  return text.replace(/[[\]()*_#<>`\\]/g, "\\$&");
}

function isWeb(url: string | undefined): url is string {
  return url !== undefined && /^https?:\/\/[^\s]+$/.test(url) && url.length < 2000;
}

export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function moment(iso: string): string {
  return `${iso.slice(0, 16).replace("T", " ")} UTC`;
}
