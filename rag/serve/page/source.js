// The sheet with the text of a source around the span that was quoted, which is marked and scrolled into view.

import { json } from "./api.js";
import { keepMarked } from "./cites.js";
import { byId, el } from "./dom.js";
import { count, place, plural, reflowed, verdict } from "./format.js";
import { Sheet } from "./sheet.js";
import { problemCard } from "./turn.js";

const AROUND = 1200; // characters on either side; what the API gives by itself
const WIDEN = 4;
const WIDEST = 20_000; // what the API gives at most

const sheet = new Sheet("source", { beside: true });
let list = { kind: "", kb: "", entries: [] };
let at = 0;
let around = AROUND;
let loading = null;

byId("source-previous").addEventListener("click", () => go(at - 1));
byId("source-next").addEventListener("click", () => go(at + 1));
byId("source-more").addEventListener("click", () => {
  around = Math.min(around * WIDEN, WIDEST);
  load();
});
sheet.dialog.addEventListener("close", () => sheet.open || markOpen(null));

/**
 * Open one of the sources of an answer. `sources`: `kind` ("Source", "Evidence"), `kb`, and `entries`: citations or
 * hits, each with `nodes`, what on the page stands for it, and, if it carries words of the answer, `carried()`.
 */
export function openSource(sources, number, opener) {
  list = sources;
  sheet.show(opener);
  go(number);
}

function markOpen(entry) {
  for (const marked of document.querySelectorAll("[aria-current]")) marked.removeAttribute("aria-current");
  for (const node of entry?.nodes ?? []) node.setAttribute("aria-current", "true");
  keepMarked(entry?.carried?.() ?? []);
}

function go(number) {
  const { kind, entries } = list;
  at = Math.min(Math.max(number, 0), entries.length - 1);
  around = AROUND;
  const entry = entries[at];
  markOpen(entry);
  byId("source-kind").textContent = `${kind} ${at + 1}`;
  byId("source-name").textContent = entry.document;
  byId("source-place").textContent = [
    place(entry),
    entry.end > entry.start ? `characters ${count(entry.start)} to ${count(entry.end)}` : "",
  ]
    .filter(Boolean)
    .join(" · ");
  const label = byId("source-verdict");
  label.hidden = !entry.verdict;
  label.textContent = entry.verdict ? verdict(entry.verdict) : "";
  label.dataset.verdict = entry.verdict ?? "";
  byId("source-position").textContent = `${at + 1} of ${entries.length}`;
  byId("source-previous").disabled = at === 0;
  byId("source-next").disabled = at === entries.length - 1;
  for (const part of ["source-previous", "source-next", "source-position"]) byId(part).hidden = entries.length < 2;
  load();
}

async function load() {
  loading?.abort();
  const mine = (loading = new AbortController());
  const entry = list.entries[at];
  byId("source-more").hidden = true;
  if (entry.verdict === "not_found" || !entry.document_id) {
    show(
      el("p", {
        class: "note",
        text: "The model named this source, but it is not among the evidence that it was given. There is no passage to show.",
      }),
    );
    return;
  }
  const query = new URLSearchParams({ start: entry.start, end: entry.end, around });
  if (list.kb) query.set("kb", list.kb);
  const text = byId("source-text");
  text.setAttribute("aria-busy", "true");
  try {
    const passage = await json(`api/documents/${encodeURIComponent(entry.document_id)}/passage?${query}`, {
      signal: mine.signal,
    });
    if (!mine.signal.aborted) showPassage(entry, passage);
  } catch (problem) {
    if (mine.signal.aborted) return;
    const gone =
      problem.status === 404
        ? el("p", { class: "note", text: "It may have been removed since the answer was given." })
        : "";
    show(problemCard(problem), gone);
  }
  text.setAttribute("aria-busy", "false");
}

function showPassage(entry, { before, quote, after, characters }) {
  const whole = reflowed(before + quote + after); // as long as what is stored, so that lengths still cut it
  const [from, to] = [before.length, before.length + quote.length];
  const mark = el("mark", { text: whole.slice(from, to), data: { verdict: entry.verdict ?? "" } });
  // Without context before it the quote begins the document; then nothing is left out there.
  const left = entry.start - Array.from(before).length;
  const right = characters - entry.end - Array.from(after).length;
  show(
    el("p", {
      class: "cut",
      text: left > 0 ? `${plural(left, "character")} before this` : "Beginning of the document",
    }),
    el("div", { class: "passage-text", dir: "auto" }, whole.slice(0, from), mark, whole.slice(to)),
    el("p", { class: "cut", text: right > 0 ? `${plural(right, "character")} after this` : "End of the document" }),
  );
  byId("source-more").hidden = around === WIDEST || (left <= 0 && right <= 0);
  const text = byId("source-text");
  const middle = mark.getBoundingClientRect().top - text.getBoundingClientRect().top + text.scrollTop;
  text.scrollTop = Math.max(0, middle - text.clientHeight / 3);
}

function show(...nodes) {
  byId("source-text").replaceChildren(...nodes.filter(Boolean));
  byId("source-text").setAttribute("aria-busy", "false");
  byId("source-text").scrollTop = 0;
}
