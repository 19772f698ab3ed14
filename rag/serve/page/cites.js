// Citations: the chips in an answer, the list of sources below it, and the words that each of them carries.

import { el } from "./dom.js";
import { place, short, unitOffsets, verdict } from "./format.js";
import { findMarkers } from "./markers.js";

const LONGEST_QUOTE = 220;

/** Which document, and where in it. */
export const spoken = (citation) => [citation.document, place(citation)].filter(Boolean).join(", ");

/**
 * Set a checked answer with its chips into `set` (see prose.js). Pointing at a chip or a source marks what it carries.
 * `open(number, opener)` is called when a chip is chosen. Returns a function that makes the list of sources.
 */
export function setWithChips(set, { text, citations }, documents, open) {
  const units = unitOffsets(text);
  const spans = citations.map(({ answer_start, answer_end }) => ({ start: units(answer_start), end: units(answer_end) }));
  let ink = null;
  const pointing = (number) => {
    const show = () => highlight(ink.ranges(spans[number].start, spans[number].end));
    const hide = () => highlight([]);
    return { mouseenter: show, focus: show, mouseleave: hide, blur: hide };
  };
  const chips = citations.map((citation, number) => chip(citation, number, pointing(number), open));
  const inserts = chips.map((node, number) => ({ at: spans[number].end, node }));
  inserts.sort((one, other) => one.at - other.at);
  const names = [...new Set([...documents, ...citations.map((citation) => citation.document)])];
  ink = set(text, { inserts, hidden: replaced(text, findMarkers(text, names), spans) });
  return () => sourceList(citations, pointing, open);
}

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

function chip(citation, number, pointing, open) {
  const name = verdict(citation.verdict);
  const label = `Source ${number + 1}, ${name.toLowerCase()}: ${spoken(citation)}`;
  const props = { type: "button", class: "chip", "aria-label": label, title: label, data: { verdict: citation.verdict } };
  const words = citation.verdict === "supported" ? [] : [el("span", { class: "chip-word", text: name.toLowerCase() })];
  return el("button", { ...props, on: { ...pointing, click: (event) => open(number, event.currentTarget) } }, String(number + 1), words);
}

function sourceList(citations, pointing, open) {
  const rows = citations.map((citation, number) => {
    const where = place(citation);
    const head = [
      el("span", { class: "source-number", text: String(number + 1), data: { verdict: citation.verdict } }),
      el("span", { class: "source-head" }, el("bdi", { class: "source-document", text: citation.document }), where ? el("span", { class: "source-place" }, " ", el("bdi", { text: where })) : null),
      el("span", { class: "verdict", text: verdict(citation.verdict), data: { verdict: citation.verdict } }),
    ];
    const quote = citation.quote ? el("span", { class: "source-quote", dir: "auto", text: short(citation.quote, LONGEST_QUOTE) }) : null;
    const on = { ...pointing(number), click: (event) => open(number, event.currentTarget) };
    return el("li", {}, el("button", { type: "button", class: "source-row", on }, head, quote));
  });
  return el("ol", { class: "sources", "aria-label": "Sources" }, rows);
}

function highlight(ranges) {
  if (!CSS.highlights) return; // a nicety that old browsers do without
  if (ranges.length) CSS.highlights.set("carried", new Highlight(...ranges));
  else CSS.highlights.delete("carried");
}
