// Citations: the chips in an answer, the list of sources below it, and the words that each of them carries.

import { el } from "./dom.js";
import { place, short, unitOffsets, verdict } from "./format.js";
import { findMarkers } from "./markers.js";

const LONGEST_QUOTE = 220;

/** Where a source is, for screen readers and tooltips. */
const spoken = (citation) => [citation.document, place(citation)].filter(Boolean).join(", ");

/**
 * Set a checked answer with its chips through `set` (see prose.js); `documents` are the names of the evidence.
 *
 * Returns an entry for each citation, as `openSource` takes them: the citation, `nodes` (its chip and its row of the
 * list) and `carried()`, the ranges of the answer's words that it carries. `open(number, opener)` is called when a chip
 * or row is chosen.
 */
export function setWithChips(set, { text, citations }, documents, open) {
  const units = unitOffsets(text);
  const spans = citations.map(({ answer_start, answer_end }) => ({
    start: units(answer_start),
    end: units(answer_end),
  }));
  let ink = null;
  const entries = citations.map((citation, number) => {
    const carried = () => ink.ranges(spans[number].start, spans[number].end);
    const on = { ...pointing(carried), click: (event) => open(number, event.currentTarget) };
    return { ...citation, carried, nodes: [chip(citation, number, on), row(citation, number, on)] };
  });
  const inserts = entries.map(({ nodes: [node] }, number) => ({ at: spans[number].end, node }));
  inserts.sort((one, other) => one.at - other.at);
  const names = [...new Set([...documents, ...citations.map((citation) => citation.document)])];
  ink = set(text, { inserts, hidden: replaced(text, findMarkers(text, names), spans) });
  return entries;
}

/** The list of sources below an answer. */
export const sourceList = (entries) =>
  el(
    "ol",
    { class: "sources", "aria-label": "Sources" },
    entries.map(({ nodes: [, node] }) => el("li", {}, node)),
  );

/** Markers hidden while the text streams in, before anything is checked. */
export const hiddenWhileStreaming = (text, documents) => withSpace(text, findMarkers(text, documents));

/** The markers that chips stand for: inside what a citation carries, or right after it. Others stay as written. */
function replaced(text, markers, spans) {
  const ends = new Set(spans.map(({ end }) => end));
  const hidden = [];
  for (const marker of markers) {
    const inside = spans.some(({ start, end }) => start <= marker.start && marker.start < end);
    let before = marker.start;
    while (before > 0 && /[\s\u2060]/.test(text[before - 1])) before--;
    if (inside || ends.has(before) || hidden.at(-1)?.end === before) hidden.push(marker);
  }
  return withSpace(text, hidden);
}

function withSpace(text, markers) {
  return markers.map(({ start, end }) => {
    let from = start;
    while (from > 0 && /[ \t]/.test(text[from - 1])) from--;
    return { start: from, end };
  });
}

function chip(citation, number, on) {
  const name = verdict(citation.verdict).toLowerCase();
  const label = `Source ${number + 1}, ${name}: ${spoken(citation)}`;
  const word = citation.verdict === "supported" ? "" : el("span", { class: "chip-word", text: name });
  return el(
    "button",
    { type: "button", class: "chip", "aria-label": label, title: label, data: { verdict: citation.verdict }, on },
    String(number + 1),
    word,
  );
}

function row(citation, number, on) {
  const where = place(citation);
  return el(
    "button",
    { type: "button", class: "source-row", on },
    el("span", { class: "source-number", text: String(number + 1), data: { verdict: citation.verdict } }),
    el(
      "span",
      { class: "source-head" },
      el("bdi", { class: "source-document", text: citation.document }),
      where ? el("bdi", { class: "source-place", text: where }) : "",
    ),
    el("span", { class: "verdict", text: verdict(citation.verdict), data: { verdict: citation.verdict } }),
    citation.quote
      ? el("span", { class: "source-quote", dir: "auto", text: short(citation.quote, LONGEST_QUOTE) })
      : "",
  );
}

let kept = [];

/** Mark what the open source carries; an empty list marks nothing. */
export function keepMarked(ranges) {
  kept = ranges;
  mark(kept);
}

/** Handlers that mark words while something is pointed at. */
function pointing(carried) {
  const show = () => mark(carried());
  const hide = () => mark(kept);
  return { mouseenter: show, focus: show, mouseleave: hide, blur: hide };
}

function mark(ranges) {
  if (!CSS.highlights) return; // a nicety that old browsers do without
  if (ranges.length) CSS.highlights.set("carried", new Highlight(...ranges));
  else CSS.highlights.delete("carried");
}
