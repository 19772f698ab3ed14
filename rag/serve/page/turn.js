// One question and what became of it: searching, an unchecked draft that streams in, the checked answer, or why none.

import { hiddenWhileStreaming, setWithChips, sourceList } from "./cites.js";
import { button, el, icon } from "./dom.js";
import { facts } from "./facts.js";
import { place, plural, short } from "./format.js";
import { withoutBegunMarker } from "./markers.js";
import { setter } from "./prose.js";

const LONGEST_EXCERPT = 260;

/** The part of the page for one question. `openSource(list, number, opener)` shows a source; `retry()` asks again. */
export class Turn {
  constructor({ question, kb, openSource, retry }) {
    this.kb = kb;
    this.openSource = openSource;
    this.retry = retry;
    this.documents = [];
    this.text = "";
    this.frame = 0;
    this.status = el("p", { class: "turn-status" });
    this.words = el("div", { class: "answer", "aria-busy": "true" });
    this.set = setter(this.words);
    this.after = el("div", { class: "after" });
    this.title = el("h2", { class: "asked", dir: "auto", tabindex: "-1", text: question });
    const hung = el("div", { class: "hung" }, this.title, this.status, this.words, this.after, icon("bob", "bob"));
    this.node = el("article", { class: "turn", data: { state: "searching" } }, hung);
  }

  /** Say what is happening. */
  say(words) {
    this.status.textContent = words;
    this.status.hidden = !words;
  }

  /** The evidence has been found. */
  hits(hits) {
    this.documents = [...new Set(hits.map((hit) => hit.document))];
    this.evidence = hits;
    this.say(`Reading ${plural(hits.length, "passage")} from ${plural(this.documents.length, "document")}`);
  }

  /** More of the draft; drawn once a frame. */
  delta(text) {
    this.text += text;
    this.node.dataset.state = "drafting";
    this.say("Draft, not checked yet");
    this.frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#undraw();
    const text = withoutBegunMarker(this.text);
    this.set(text, { hidden: hiddenWhileStreaming(text, this.documents) });
  }

  #undraw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }

  /** The whole, checked answer; it replaces the draft. */
  answer(answer) {
    this.#end(answer.refused ? "refused" : "answered");
    this.say(answer.refused ? "Not answered by the documents" : "");
    const open = (number, opener) => this.openSource({ kind: "Source", kb: this.kb, entries }, number, opener);
    const entries = setWithChips(this.set, answer, this.documents, open);
    if (answer.note) this.after.append(el("p", { class: "note", dir: "auto", text: answer.note }));
    if (answer.degraded)
      this.after.append(
        el(
          "p",
          { class: "degraded" },
          el("strong", { text: "A fallback answered. " }),
          el("bdi", { text: answer.degraded }),
        ),
      );
    if (entries.length) this.after.append(sourceList(entries));
    this.#appendEvidence(answer.refused);
    this.after.append(facts(answer));
  }

  /** The user stopped it. */
  stopped() {
    if (this.text) this.#draw();
    this.#end("stopped");
    this.say(this.text ? "Stopped. This draft was not checked." : "Stopped.");
    this.#appendEvidence(false);
    this.after.append(this.#again());
  }

  /** It failed, before or while the draft came in. */
  failed(problem) {
    if (this.text) this.#draw();
    this.#end("failed");
    this.say(this.text ? "Draft, never checked" : "");
    this.after.append(problemCard(problem, this.#again()));
  }

  #end(state) {
    this.#undraw();
    this.node.dataset.state = state;
    this.words.setAttribute("aria-busy", "false");
    this.after.replaceChildren();
  }

  #again() {
    return button("Ask again", { class: "plain" }, () => this.retry());
  }

  #appendEvidence(refused) {
    if (!this.evidence?.length) return;
    const open = (number, opener) => this.openSource({ kind: "Evidence", kb: this.kb, entries }, number, opener);
    const entries = this.evidence.map((hit, number) => ({ ...hit, nodes: [evidenceRow(hit, number, open)] }));
    const name = refused ? "What came closest" : "Evidence the model was given";
    const summary = el("summary", {}, name, el("span", { class: "number", text: plural(entries.length, "passage") }));
    const rows = entries.map(({ nodes: [row] }) => el("li", {}, row));
    this.after.append(el("details", { class: "evidence" }, summary, el("ol", { class: "sources" }, rows)));
  }
}

function evidenceRow(hit, number, open) {
  return el(
    "button",
    { type: "button", class: "source-row", on: { click: (event) => open(number, event.currentTarget) } },
    el("span", { class: "source-number", text: String(number + 1) }),
    el(
      "span",
      { class: "source-head" },
      el("bdi", { class: "source-document", text: hit.document }),
      el("bdi", { class: "source-place", text: place(hit) }),
    ),
    el("span", { class: "score", text: hit.score.toFixed(3), title: "Score: comparable within this list only" }),
    el("span", { class: "source-quote", dir: "auto", text: short(hit.text, LONGEST_EXCERPT) }),
  );
}

/** A problem as the server tells it: what, exactly what, what to do. */
export function problemCard(problem, ...actions) {
  const lines = [problem.detail, ...problem.errors]
    .filter(Boolean)
    .map((line) => el("p", { dir: "auto", text: line }));
  const hint = problem.hint ? el("p", { class: "hint", dir: "auto", text: problem.hint }) : null;
  const id = problem.instance
    ? el("p", { class: "request" }, "Request ", el("code", { text: problem.instance }))
    : null;
  return el(
    "div",
    { class: "problem", role: "alert" },
    el("p", { class: "problem-title", text: problem.title }),
    lines,
    hint,
    id,
    actions.length ? el("p", { class: "problem-actions" }, actions) : null,
  );
}
