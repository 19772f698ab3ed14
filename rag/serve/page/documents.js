// The sheet of documents: what is there, adding by dropping or choosing, removing with a second thought.

import { call, json } from "./api.js";
import { button, byId, el } from "./dom.js";
import { count, plural } from "./format.js";
import { Sheet } from "./sheet.js";
import { problemCard } from "./turn.js";
import { upload } from "./uploads.js";

const FILTER_FROM = 9;
const KINDS = {
  "application/pdf": "PDF",
  "text/html": "HTML",
  "text/markdown": "Markdown",
  "text/plain": "Text",
  "text/csv": "CSV",
  "application/json": "JSON",
};
const OFFICE = /officedocument\.(wordprocessing|spreadsheet|presentation)/;

const sheet = new Sheet("documents");
const list = byId("documents-list");
let kb = "";
let changed = async () => undefined;

/** `onChange()` is called after documents were added or removed. */
export function onDocumentsChange(onChange) {
  changed = onChange;
}

/** Show the sheet for a knowledge base. */
export async function openDocuments(name, opener) {
  kb = name;
  byId("documents-kb").textContent = name;
  byId("filter").value = "";
  sheet.show(opener);
  await refresh();
}

/** The documents of a knowledge base. */
export const documentsOf = async (name) =>
  (await json(`api/documents?${new URLSearchParams({ kb: name })}`)).documents;

async function refresh() {
  try {
    const documents = await documentsOf(kb);
    byId("filter-label").hidden = documents.length < FILTER_FROM;
    const together = new Map();
    for (const { file } of documents) together.set(file, (together.get(file) ?? 0) + 1);
    list.replaceChildren(...documents.map((entry) => row(entry, together.get(entry.file))));
    byId("documents-note").textContent = documents.length
      ? plural(documents.length, "document")
      : "No documents yet.";
    filter();
  } catch (problem) {
    list.replaceChildren(el("li", {}, problemCard(problem)));
  }
}

/** `together` documents came out of the same file (an archive, an e-mail) and go together. */
function row(entry, together) {
  const facts = [kind(entry), entry.pages ? plural(entry.pages, "page") : "", `${count(entry.characters)} characters`]
    .filter(Boolean)
    .join(" · ");
  const node = el("li", { class: "document", data: { name: entry.document.toLowerCase() } });
  const remove = button("Delete", { class: "quiet small", "aria-label": `Delete ${entry.document}` }, () =>
    confirm(node, entry, together, remove),
  );
  const waiting = entry.indexed ? null : el("span", { class: "waiting", text: "not searchable yet" });
  node.append(
    el(
      "div",
      { class: "document-line" },
      el(
        "div",
        { class: "document-words" },
        el("bdi", { class: "document-name", text: entry.document, title: entry.source }),
        el("span", { class: "remark" }, facts, " ", waiting ?? ""),
      ),
      remove,
    ),
  );
  return node;
}

function kind({ media_type: type }) {
  const office = OFFICE.exec(type)?.[1];
  if (office) return { wordprocessing: "Word", spreadsheet: "Excel", presentation: "PowerPoint" }[office];
  return KINDS[type] ?? type;
}

function confirm(node, entry, together, remove) {
  const keep = button("Keep it", { class: "plain" }, () => {
    question.remove();
    remove.hidden = false;
    remove.focus();
  });
  const yes = button(together > 1 ? `Delete all ${together}` : "Delete it", { class: "danger" }, () => removeDocument(node, entry, question));
  const words = el(
    "p",
    {},
    "Delete ",
    el("bdi", { class: "document-name", text: entry.document }),
    together > 1
      ? ` with the other documents of ${entry.file.split(/[\\/]/).pop()}? Answers can no longer rest on them.`
      : "? Answers can no longer rest on it.",
  );
  const question = el(
    "div",
    { class: "confirm", role: "group", "aria-label": `Delete ${entry.document}?` },
    words,
    el("p", { class: "problem-actions" }, keep, yes),
  );
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    keep.click();
  });
  remove.hidden = true;
  node.append(question);
  keep.focus();
}

async function removeDocument(node, entry, question) {
  for (const action of question.querySelectorAll("button")) action.disabled = true;
  try {
    await call(`api/documents/${encodeURIComponent(entry.document_id)}?${new URLSearchParams({ kb, whole: true })}`, {
      method: "DELETE",
    });
  } catch (problem) {
    const card = problemCard(problem, button("Close", { class: "plain" }, refresh));
    question.replaceWith(card);
    card.querySelector("button").focus();
    return;
  }
  const next = node.nextElementSibling ?? node.previousElementSibling;
  const focused = next ? next.dataset.name : "";
  await refresh();
  await changed();
  const stays = [...list.children].find((other) => other.dataset.name === focused);
  (stays?.querySelector("button") ?? byId("choose")).focus();
}

function filter() {
  const wanted = byId("filter").value.trim().toLowerCase();
  for (const node of list.children) node.hidden = Boolean(wanted) && !node.dataset.name?.includes(wanted);
}

async function add(files) {
  if (!files.length) return;
  await upload(kb, [...files], async () => {
    await refresh();
    await changed();
  });
}

const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** Files dropped anywhere open the sheet and are added; `current()` names the knowledge base. */
export function acceptDrops(current) {
  const hover = (on) => byId("drop").classList.toggle("hover", on);
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event) || !current()) return;
    event.preventDefault();
    if (!sheet.open) openDocuments(current(), byId("documents-open"));
    hover(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget || hover(false));
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    hover(false);
    if (kb) add(event.dataTransfer.files);
  });
  byId("choose").addEventListener("click", () => byId("files").click());
  byId("files").addEventListener("change", async () => {
    const files = [...byId("files").files];
    byId("files").value = "";
    await add(files);
  });
  byId("filter").addEventListener("input", filter);
}
