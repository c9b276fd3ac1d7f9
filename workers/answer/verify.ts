import { lazily } from "../../shared/lazily.ts";
import type { Removal } from "../../shared/ports/answer.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { makeLeakWatch } from "./leak.ts";
import { instructionRuns } from "./prompt.ts";
import { endsInAbbreviation, foldText } from "./understand-text.ts";
import { monthOf } from "./understand-values.ts";
import { makeWaiting } from "./verify-cited.ts";
import { makeClaimChecker, type Claim } from "./verify-claims.ts";

/**
 * Verification while an answer streams. Plain words pass at once. A number, date, identifier or proper name is held until
 * it is found in a row that was read; if it is not, the whole sentence is taken back and the rest of it dropped. What is found
 * must also be in a row that is cited. Numbers, dates and identifiers of a sentence with markers must be in a row that one of
 * these names: it is taken back at its end if not. A clause behind a semicolon that has markers of its own is held to these, as
 * if it were a sentence; what the first clause says may belong to all of them. A name, and what a sentence without markers says,
 * may be in any row that the answer cites: a sentence of which that is not so by the answer's end is taken back as well.
 * A marker `[n]` beyond the evidence is dropped, and so is a sentence that repeats the model's instructions. What comes out
 * depends on the text alone, not on how it was cut in chunks.
 */

/** `from` counts UTF-16 units of the text sent so far, retractions applied. */
export type VerifyEvent =
  | { readonly type: "delta"; readonly text: string }
  | { readonly type: "retract"; readonly from: number }
  /** Nothing that was sent so far is retracted. */
  | { readonly type: "settled" };

export interface Verified {
  /** The text that stands, trimmed at both ends. */
  readonly text: string;
  /** Claims looked up, and how many were found. */
  readonly checked: number;
  readonly supported: number;
  readonly removed: readonly Removal[];
}

export interface Verifier {
  /** Takes the next piece of the answer; returns what may be sent on. */
  push(text: string): readonly VerifyEvent[];
  /** Must be called once, after the last piece. */
  end(): Verified & { readonly events: readonly VerifyEvent[] };
}

/** A word with the white space after it, and the first character of what follows ("" at the end of the text). */
interface Unit {
  readonly body: string;
  readonly space: string;
  readonly next: string;
  /** Follows the word before without white space: the marker between them was dropped. */
  readonly glued?: boolean;
}

/** A part of a sentence up to its semicolon, and the rows that its markers name. */
interface Clause {
  readonly claims: readonly Claim[];
  readonly cited: readonly number[];
}

/** A word longer than this is cut, so that hostile input costs no more than its length. */
const LONGEST_UNIT = 256;
/** Claims of several words ("16 July 1996") are short; a longer run is checked in parts. */
const LONGEST_RUN = 12;

const MARKERS = /\[(\d{1,6}(?:\s*[,;]\s*\d{1,6})*)\]/g;
const OPEN_MARKER = /\[\d{1,6}(?:\s*[,;]\s*\d{1,6})*\s*[,;]?$/;

/** A word that is plain so far. One with a capital is a name, unless a sentence begins with it. */
const begunWord = lazily(() => /^\p{Ll}+(?=\s*$)/u);
const begunInitial = lazily(() => /^\p{Lu}?\p{Ll}+(?=\s*$)/u);

/** Verifies a finished text in one go. */
export function verifyText(text: string, evidence: readonly Evidence[], question: string): Verified {
  const verifier = makeVerifier(evidence, question);
  verifier.push(text);
  const { text: stands, checked, supported, removed } = verifier.end();
  return { text: stands, checked, supported, removed };
}

/** @param evidence what the answer may rest on; `evidence[i]` is cited as `[i + 1]`. */
export function makeVerifier(evidence: readonly Evidence[], question: string): Verifier {
  const checker = makeClaimChecker(evidence, question);
  const watch = makeLeakWatch(instructionRuns);
  const waiting = makeWaiting();
  const removed: Removal[] = [];
  let events: VerifyEvent[] = [];
  let sent = "";
  // White space is sent with the word after it, so that nothing has to be tidied up when that word goes.
  let space = "";
  let buffer = "";
  // How much of the buffer's word is sent already.
  let early = 0;
  let scanned = 0;
  let openMarker = "";
  let held: Unit[] = [];
  let sentenceFrom = 0;
  let spaceBefore = "";
  let sentenceText = "";
  let sentOfSentence = "";
  // What the clause states, and the rows that it cites; and those of the sentence's clauses before it.
  let claimed: Claim[] = [];
  let cited: number[] = [];
  let clauses: Clause[] = [];
  let checked = 0;
  let unsupported = 0;
  let failed: Removal["why"] | undefined;
  /** The sentence repeats the instructions: it is told nowhere, not among what was removed either. */
  let leaked = false;
  let words = 0;
  let afterColon = false;
  let stopSeen = false;
  let semicolonSeen = false;

  const send = (text: string): void => {
    if (text === "") return;
    sent += text;
    sentOfSentence += text;
    const last = events.at(-1);
    if (last?.type === "delta") events[events.length - 1] = { type: "delta", text: last.text + text };
    else events.push({ type: "delta", text });
  };

  const emit = (unit: Unit): void => {
    if (unit.body !== "") {
      const lead = early > 0 || sent === "" || unit.glued === true ? "" : space;
      send(lead + unit.body.slice(early));
      early = 0;
      space = unit.space;
    } else if (unit.space.includes("\n")) space = unit.space;
  };

  /** Sends the letters of a word that has only begun: a reader need not wait for its end where it is no claim so far. */
  const emitBegun = (): void => {
    if (failed !== undefined || held.length > 0 || openMarker !== "") return;
    const [begun = ""] = (words === 0 || afterColon ? begunInitial() : begunWord()).exec(buffer) ?? [];
    if (begun.length <= early || monthOf(foldText(begun)) !== undefined || watch.wouldLeak(begun)) return;
    send((early > 0 || sent === "" ? "" : space) + begun.slice(early));
    early = begun.length;
  };

  const fail = (why: Removal["why"]): void => {
    failed = why;
    held = [];
    early = 0;
    if (sent.length > sentenceFrom) {
      sent = sent.slice(0, sentenceFrom);
      events.push({ type: "retract", from: sentenceFrom });
    }
    space = spaceBefore;
  };

  const resolve = (): void => {
    if (held.length === 0) return;
    const span = held.map((unit) => unit.body + unit.space).join("");
    const { claims: found, missing } = checker.check(span.replace(MARKERS, " "));
    checked += found.length;
    claimed.push(...found);
    if (missing !== undefined) {
      checked += 1;
      unsupported += 1;
      return fail(missing);
    }
    for (const unit of held) emit(unit);
    held = [];
  };

  const endClause = (): void => {
    resolve();
    clauses.push({ claims: claimed, cited });
    claimed = [];
    cited = [];
    semicolonSeen = false;
  };

  /** Takes the sentence back where its own markers' rows do not hold a figure. @returns what is to be looked up once all citations are known. */
  const checkCited = (rows: readonly number[]): readonly Claim[] => {
    const all = clauses.flatMap(({ claims }) => claims);
    if (failed !== undefined || rows.length === 0) return all;
    const astray = clauses.flatMap(({ claims, cited: own }, i) =>
      claims.filter(
        (claim) => claim.kind !== "name" && !claim.heldBy(i === 0 || own.length === 0 ? rows : own),
      ),
    );
    unsupported += astray.length;
    if (astray.length > 0) fail("uncited");
    return all.filter(({ kind }) => kind === "name");
  };

  const endSentence = (): void => {
    endClause();
    const rows = clauses.flatMap((clause) => clause.cited);
    const claims = checkCited(rows);
    if (failed !== undefined) {
      removed.push({ text: leaked ? "" : sentenceText.trim(), why: failed });
      failed = undefined;
    } else if (sent.length > sentenceFrom) {
      const sentence = { from: sentenceFrom, text: sentOfSentence, claims, cited: rows };
      if (waiting.add(sentence)) events.push({ type: "settled" });
    }
    clauses = [];
    sentOfSentence = "";
    sentenceFrom = sent.length;
    spaceBefore = space;
    sentenceText = "";
    leaked = false;
    words = 0;
    afterColon = false;
    stopSeen = false;
  };

  /** Drops the markers that point at nothing. */
  const checkMarkers = (body: string): string =>
    body.replace(MARKERS, (whole, list: string) => {
      const numbers = list.split(/[,;]/).map(Number);
      const valid = numbers.filter((n) => n >= 1 && n <= evidence.length);
      cited.push(...valid.map((n) => n - 1));
      if (valid.length === numbers.length) return whole;
      removed.push({ text: whole, why: "marker" });
      return valid.map((n) => `[${n}]`).join("");
    });

  /** Takes back what rests on rows that the answer does not cite, now that no citation follows; what came after it is told again. */
  const dropUncited = (): void => {
    const { stand, fall, rows } = waiting.end();
    const [first] = fall;
    if (!first) return;
    const told = stand.filter(({ from }) => from > first.from);
    sent = sent.slice(0, first.from);
    events.push({ type: "retract", from: first.from });
    const again = told.map(({ text }) => text).join("");
    send(sent === "" ? again.trimStart() : again);
    for (const { text, claims } of fall) {
      removed.push({ text: text.trim(), why: "uncited" });
      unsupported += claims.filter((claim) => !claim.heldBy(rows)).length;
    }
  };

  const take = (raw: Unit): void => {
    sentenceText += raw.body + raw.space;
    const body = failed === undefined ? checkMarkers(raw.body) : raw.body;
    // "is 19 [9]." must not become "is 19 ."
    const unit: Unit = { ...raw, body, glued: body !== raw.body && /^[.,;:!?]/.test(body) };
    const bare = body.replace(MARKERS, "").trim();
    if (watch.leaks(bare)) {
      leaked = true;
      if (failed === undefined) fail("instructions");
    }
    if (failed === undefined) {
      const kind = classify(bare, words === 0 || afterColon, held);
      if (kind === "claim") held.push(unit);
      else if (kind === "plain" || held.length === 0) {
        // A marker alone waits with what it marks.
        if (bare === "" && held.length > 0) held.push(unit);
        else {
          resolve();
          if (failed === undefined) emit(unit);
        }
      } else held.push(unit);
      if (held.length >= LONGEST_RUN) resolve();
    }
    if (/[\p{L}\p{N}]/u.test(bare)) {
      words += 1;
      afterColon = /[:"“«(]$/.test(bare);
    }
    if (bare !== "" && !/^[.)\]"'»”’*_]+$/.test(bare)) stopSeen = stops(bare, unit.next, words);
    else if (/[.!?…]/.test(bare)) stopSeen = true;
    if (bare !== "") semicolonSeen = bare.endsWith(";");
    const markerFollows = unit.next === "[";
    if (raw.space.includes("\n") || (stopSeen && !markerFollows && !/\p{Ll}/u.test(unit.next))) endSentence();
    else if (semicolonSeen && !markerFollows) endClause();
  };

  const feed = (unit: Unit): void => {
    const body = openMarker + unit.body;
    if (OPEN_MARKER.test(body) && body.length < 40 && unit.next !== "") openMarker = body + unit.space;
    else {
      openMarker = "";
      take({ ...unit, body });
    }
  };

  /** Cuts whole words off the buffer. A word is whole once the first character after its white space is known. */
  const drain = (last: boolean): void => {
    let from = 0;
    let at = scanned;
    let wordEnd = -1;
    for (; at < buffer.length; at++) {
      const white = isSpace(buffer.charCodeAt(at));
      if (wordEnd < 0 && (white || at - from >= LONGEST_UNIT)) wordEnd = at;
      if (wordEnd >= 0 && (!white || at - wordEnd >= LONGEST_UNIT)) {
        feed({
          body: buffer.slice(from, wordEnd),
          space: buffer.slice(wordEnd, at),
          next: buffer.charAt(at),
        });
        from = at;
        wordEnd = white ? at : -1;
      }
    }
    if (last && from < buffer.length) {
      const end = wordEnd < 0 ? buffer.length : wordEnd;
      feed({ body: buffer.slice(from, end), space: buffer.slice(end), next: "" });
      from = buffer.length;
    }
    buffer = buffer.slice(from);
    // Inside a word everything scanned is known to be no white space; in white space, start again: it is short.
    scanned = wordEnd < 0 ? buffer.length : 0;
  };

  return {
    push(text) {
      events = [];
      buffer += text;
      drain(false);
      emitBegun();
      return events;
    },
    end() {
      events = [];
      drain(true);
      if (openMarker !== "") take({ body: openMarker.trimEnd(), space: "", next: "" });
      endSentence();
      dropUncited();
      return { events, text: sent, checked, supported: checked - unsupported, removed };
    },
  };
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13) || code === 0xa0 || code === 0x202f || code === 0x2028;
}

/** Whether a word is to be looked up: `join` words belong to a claim that has begun ("16th of July"). */
function classify(bare: string, initial: boolean, held: readonly Unit[]): "claim" | "join" | "plain" {
  if (initial && /^\d{1,3}[.)]$/.test(bare)) return "plain";
  if (/\p{N}/u.test(bare)) return "claim";
  const letters = foldText(bare).replace(/[^\p{L}]/gu, "");
  // Also at the beginning of a sentence: what follows may be its day.
  if (monthOf(letters) !== undefined) return "claim";
  const before = held.at(-1)?.body ?? "";
  if (/\p{N}/u.test(before)) {
    if (
      /^(?:of|de|million|millions|billion|thousand|milliers?|milliards?|mille|%|€|£|\$|k|m)$/.test(
        letters || bare,
      )
    )
      return "join";
  }
  const capital = /^[^\p{L}]*\p{Lu}/u.test(bare);
  return capital && !initial ? "claim" : "plain";
}

/** Whether a sentence may end after this word. */
function stops(bare: string, next: string, words: number): boolean {
  const tail = /([.!?…])["'»”’)\]*_]*$/.exec(bare);
  if (!tail) return false;
  if (words <= 1 && /^\d{1,3}\.$/.test(bare)) return false;
  if (tail[1] !== ".") return true;
  return next === "" || !endsInAbbreviation(bare.slice(0, tail.index + 1));
}
