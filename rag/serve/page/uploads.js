// Sends files and follows what becomes of each.

import { json, problem as problemOf } from "./api.js";
import { button, byId, el } from "./dom.js";
import { plural } from "./format.js";
import { problemCard } from "./turn.js";

const FIRST_MS = 300;
const LONGEST_MS = 3000;
const OUTCOMES = {
  added: "Added",
  updated: "Updated",
  unchanged: "Already there, unchanged",
  removed: "Removed",
  failed: "Could not be read",
  skipped: "Passed over",
};

/** Upload files into a knowledge base; `changed()` is called once the documents may have changed. */
export async function upload(kb, files, changed) {
  const names = files.map((file) => file.name);
  const state = el("p", { class: "upload-state", text: `Sending ${plural(files.length, "file")}…` });
  const card = el("li", { class: "upload", data: { state: "running" } }, state);
  byId("uploads").prepend(card);
  try {
    const form = new FormData();
    for (const file of files) form.append("files", file);
    const { ingestion } = await json(`api/documents?${new URLSearchParams({ kb })}`, { method: "POST", body: form });
    const end = await followed(ingestion, (words) => (state.textContent = words));
    if (end.problem) card.replaceChildren(problemCard(problemOf(end.problem)));
    else card.replaceChildren(...outcomes(end.report, names));
    card.dataset.state = end.state;
  } catch (problem) {
    card.dataset.state = "failed";
    card.replaceChildren(problemCard(problem));
  }
  card.append(button("Dismiss", { class: "quiet small" }, () => card.remove()));
  await changed();
}

async function followed(id, say) {
  let pause = FIRST_MS;
  for (;;) {
    const state = await json(`api/ingestions/${encodeURIComponent(id)}`);
    if (state.state === "done" || state.state === "failed") return state;
    say(state.state === "queued" ? "Waiting for its turn…" : "Reading and indexing…");
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 1.5, LONGEST_MS);
  }
}

/** A line for each file that was sent or that changed. */
function outcomes(report, names) {
  const sent = new Set(names);
  const files = (report?.files ?? []).filter(
    ({ document: name, outcome }) => outcome !== "unchanged" || sent.has(name),
  );
  const lines = files.map(({ document: name, outcome, pages, chunks, reason, notes }) => {
    const read = [pages ? plural(pages, "page") : "", chunks ? plural(chunks, "passage") : ""]
      .filter(Boolean)
      .join(", ");
    const remarks = [reason, ...notes]
      .filter(Boolean)
      .map((remark) => el("span", { class: "remark", dir: "auto", text: remark }));
    return el(
      "li",
      { data: { outcome } },
      el("bdi", { class: "file", text: name }),
      el("span", { class: "outcome", text: [OUTCOMES[outcome] ?? outcome, read].filter(Boolean).join(" · ") }),
      remarks,
    );
  });
  return [el("ul", { class: "outcomes" }, lines)];
}
