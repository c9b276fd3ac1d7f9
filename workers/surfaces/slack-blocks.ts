import type { Button, KnownBlock, MrkdwnElement, PlainTextElement, Select } from "@slack/types";
import type { Language } from "../../shared/analysis.ts";
import type { Answer, Citation } from "../../shared/ports/answer.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { cellText } from "../answer/verify-claims.ts";
import { chatTexts } from "./chat-texts.ts";
import type { Sent } from "./slack-api.ts";

/** Block Kit as this surface sends it, in Slack's own types. Limits: docs.slack.dev, Block Kit reference, read 2026-11. */
export type Block = Sent<KnownBlock>;

/** A markdown argument or block takes 12,000 characters; a whole message fails from about 13,200 on, undocumented. */
export const MAX_MARKDOWN = 10_000;
const MAX_SOURCES = 10;
const MAX_LABEL = 75;
const MAX_SECTION = 2900;
const MAX_VALUE = 1900;
const MAX_CELLS = 12;
const MAX_ROWS = 8;

/** Where an answer stands, so that a click on it finds its thread. */
export interface BlockPlace {
  readonly thread: string;
  readonly direct: boolean;
}

export interface AnswerBlocks {
  readonly answer: Answer;
  readonly language: Language;
  readonly place: BlockPlace;
  /** Models to ask the same of; none leaves the menu out. */
  readonly models: readonly string[];
  /** Offers to tell the whole channel what it may know. */
  readonly share: boolean;
  readonly feedback: boolean;
}

/** A message of this text, as Markdown, with what stands below it. */
export function withText(text: string, blocks: readonly Block[]): readonly Block[] {
  return [{ type: "markdown", text: cut(text, MAX_MARKDOWN) }, ...blocks];
}

/** Below an answer's text: sources, who wrote it, how fresh it is, feedback, evidence. */
export function answerBlocks({
  answer,
  language,
  place,
  models,
  share,
  feedback,
}: AnswerBlocks): readonly Block[] {
  const texts = chatTexts(language);
  const blocks: Block[] = [];
  if (answer.citations.length > 0) {
    blocks.push({ type: "context", elements: answer.citations.slice(0, MAX_SOURCES).map(source) });
  }
  const facts = [
    texts.written(answer.model),
    ...(answer.asOf === "" ? [] : [texts.asOf(moment(answer.asOf))]),
  ];
  blocks.push({ type: "context", elements: [mrkdwn(escape(facts.join("  ·  ")))] });
  const id = (part: string): string => `qs:${place.thread}:${place.direct ? 1 : 0}:${part}`;
  const rows = [...new Set(answer.citations.map((citation) => citation.id))];
  const value = rows.join("\n");
  const actions: Sent<Button | Select>[] = [];
  if (rows.length > 0 && value.length <= MAX_VALUE) {
    actions.push(button("qs_evidence", texts.evidence, value));
  }
  if (share) actions.push(button("qs_share", texts.share, answer.id));
  if (models.length > 0) {
    actions.push({
      type: "static_select",
      action_id: "qs_model",
      placeholder: plain(texts.anotherModel),
      options: models.slice(0, 100).map((model) => ({ text: plain(model), value: model.slice(0, 150) })),
    });
  }
  if (actions.length > 0) blocks.push({ type: "actions", block_id: id("actions"), elements: actions });
  if (!feedback) return blocks;
  blocks.push({
    type: "context_actions",
    block_id: id("feedback"),
    elements: [
      {
        type: "feedback_buttons",
        action_id: "qs_feedback",
        positive_button: {
          text: plain(texts.good),
          value: `up:${answer.id}`,
          accessibility_label: cut(texts.good, MAX_LABEL),
        },
        negative_button: {
          text: plain(texts.bad),
          value: `down:${answer.id}`,
          accessibility_label: cut(texts.bad, MAX_LABEL),
        },
      },
    ],
  });
  return blocks;
}

/** The rows behind an answer, as the person who asks for them may see them. */
export function evidenceBlocks(rows: readonly Evidence[]): readonly Block[] {
  return rows.slice(0, MAX_ROWS).map((row) => {
    const cells = row.cells
      .slice(0, MAX_CELLS)
      .map(
        ({ column, value }) =>
          `*${escape(column)}*: ${escape(cut(value === null ? "–" : cellText(value), 300))}`,
      );
    const text = [`*${link(row.title, row.url)}*  ·  ${escape(row.table)}`, ...cells].join("\n");
    return { type: "section", text: mrkdwn(cut(text, MAX_SECTION)) };
  });
}

function source(citation: Citation): MrkdwnElement {
  const { marker, title, table, url } = citation;
  return mrkdwn(`[${marker}] ${link(title, url)}  ·  ${escape(table)}`);
}

/** A row's own link: its address comes from the configuration's template, never from a model. */
function link(title: string, url: string | undefined): string {
  const label = escape(cut(title.replace(/\s+/g, " "), 120)).replaceAll("|", "¦");
  const safe = url !== undefined && /^https?:\/\/[^\s<>|]+$/.test(url) && url.length < 2000;
  return safe ? `<${url.replaceAll("&", "&amp;")}|${label}>` : label;
}

/** Text that Slack takes as text. docs.slack.dev, "Formatting text": these three, and nothing else. */
export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function mrkdwn(text: string): MrkdwnElement {
  return { type: "mrkdwn", text, verbatim: true };
}

function plain(text: string): PlainTextElement {
  return { type: "plain_text", text: cut(text, MAX_LABEL) };
}

function button(action: string, text: string, value: string): Button {
  return { type: "button", action_id: action, text: plain(text), value };
}

export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function moment(iso: string): string {
  return `${iso.slice(0, 16).replace("T", " ")} UTC`;
}
