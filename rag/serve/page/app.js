// Puts the page together: knowledge bases, the session's questions, the sheets.

import { ask, json, onUnauthorized, problem, Problem } from "./api.js";
import { compose, focusComposer, setBusy } from "./composer.js";
import { waitForServer } from "./connection.js";
import { acceptDrops, documentsOf, onDocumentsChange, openDocuments } from "./documents.js";
import { button, byId, el } from "./dom.js";
import { exampleQuestions } from "./examples.js";
import { plural } from "./format.js";
import { askForKey, showForget } from "./keyform.js";
import * as live from "./live.js";
import { openSource } from "./source.js";
import { problemCard, Turn } from "./turn.js";

const STARTING = 503;

let bases = [];
let chosen = "";
let running = null;

const base = () => bases.find(({ name }) => name === chosen);

/** Read what there is to ask; the page stands on it. */
async function load() {
  try {
    const state = await json("api/kbs");
    bases = state.kbs;
    if (!base()) chosen = state.default;
    showForget();
    showBases();
    showStart();
  } catch (error) {
    if (error.lost || error.status === STARTING) waitForServer(load);
    else showFailure(error);
  }
}

function showFailure(error) {
  document.body.dataset.documents = "unknown";
  byId("start-title").textContent = "This page could not be made ready.";
  byId("start-note").replaceChildren(problemCard(error, button("Try again", { class: "plain" }, load)));
}

function showBases() {
  const select = byId("kb");
  select.replaceChildren(...bases.map(({ name }) => el("option", { value: name, text: name })));
  select.value = chosen;
  select.hidden = bases.length < 2;
  byId("kb-name").hidden = bases.length > 1;
  byId("kb-name").textContent = chosen;
  byId("kb-facts").textContent = [
    plural(base().documents, "document"),
    plural(base().chunks, "passage"),
    base().model,
  ].join(" · ");
  byId("documents-open").disabled = false;
}

/** The first view: what can be asked here, or how to bring in documents. */
function showStart() {
  const empty = base().documents === 0;
  const first = document.body.dataset.documents === undefined;
  document.body.dataset.documents = empty ? "none" : "some";
  byId("start-title").textContent = empty ? "Nothing to ask yet." : "Ask, and see where the answer stands.";
  byId("start-note").textContent = empty
    ? "Add documents, and every answer will show you the sentences it rests on."
    : "Each answer shows the sentences it rests on, what it cost and how sure it is.";
  byId("start-facts").textContent = empty ? "" : byId("kb-facts").textContent;
  byId("start-upload").hidden = !empty;
  byId("examples").hidden = true;
  if (first) focusComposer();
  if (!empty && byId("thread").childNodes.length === 0) showExamples(chosen);
}

async function showExamples(kb) {
  let questions = [];
  try {
    questions = await exampleQuestions(kb, await documentsOf(kb));
  } catch (error) {
    if (error.lost) waitForServer(load); // otherwise: examples are a courtesy, what goes wrong with them is not shown
  }
  if (kb !== chosen || byId("thread").childNodes.length) return;
  byId("examples").replaceChildren(
    ...questions.map((question) => button(question, { class: "example", dir: "auto" }, () => put(question))),
  );
  byId("examples").hidden = questions.length === 0;
}

/** Ask a question and show what comes of it. */
async function put(question, kb = chosen) {
  running?.abort();
  const mine = (running = new AbortController());
  const turn = new Turn({ question, kb, openSource, retry: () => put(question, kb) });
  document.querySelector(".stage").dataset.view = "thread";
  byId("examples").hidden = true;
  turn.say(bases.length > 1 ? `Searching ${kb}` : "Searching the documents");
  byId("thread").append(turn.node);
  turn.node.scrollIntoView({ block: "start" });
  setBusy(true);
  live.begin();
  try {
    for await (const [event, data] of ask({ question, kb, signal: mine.signal })) show(turn, event, data);
  } catch (error) {
    if (mine.signal.aborted) {
      turn.stopped();
      live.say("Stopped.");
    } else turn.failed(error instanceof Problem ? error : failure(error));
    if (error.lost) waitForServer(load);
  } finally {
    if (running === mine) {
      running = null;
      setBusy(false);
    }
  }
}

/** A mistake in this page: told like any other problem, and left for the console. */
function failure(error) {
  reportError(error);
  return new Problem({
    title: "This page could not show the answer",
    detail: error.message,
    hint: "Reload the page.",
  });
}

function show(turn, event, data) {
  if (event === "hits") turn.hits(data.hits);
  else if (event === "delta") {
    turn.delta(data.text);
    live.more(data.text);
  } else if (event === "answer") {
    turn.answer(data);
    live.finish(data);
  } else if (event === "error") throw problem(data);
}

function toggleTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const root = document.documentElement;
  const theme = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
  if (theme === system) delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    if (theme === system) localStorage.removeItem("plumbline.theme");
    else localStorage.setItem("plumbline.theme", theme);
  } catch {
    return; // storage is switched off: the choice holds for this page
  }
}

onUnauthorized(askForKey);
onDocumentsChange(load);
acceptDrops(() => chosen);
compose({ onAsk: put, onStop: () => running?.abort() });
byId("theme").addEventListener("click", toggleTheme);
byId("documents-open").addEventListener("click", (event) => openDocuments(chosen, event.currentTarget));
byId("start-upload").addEventListener("click", (event) => openDocuments(chosen, event.currentTarget));
byId("kb").addEventListener("change", () => {
  chosen = byId("kb").value;
  load();
});
addEventListener("offline", () => waitForServer(load));
load();
