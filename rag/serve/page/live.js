// Reads the answer out to screen readers as it arrives: whole sentences, once each.

import { byId, el } from "./dom.js";

const log = byId("live");
const KEPT = 40;
let spoken = 0;
let draft = "";

/** Say one thing. */
export function say(words) {
  log.append(el("p", { dir: "auto", text: words }));
  while (log.childNodes.length > KEPT) log.firstChild.remove();
}

/** A new answer begins. */
export function begin() {
  [spoken, draft] = [0, ""];
}

/** More of a draft; what ends a sentence is said. */
export function more(text) {
  draft += text;
  const ends = /^[\s\S]*[.!?…。！？](?=\s)/.exec(draft.slice(spoken));
  if (!ends) return;
  say(ends[0].trim());
  spoken += ends[0].length;
}

/** The checked answer: what was not said yet, then how its sources were judged. */
export function finish({ text, citations, refused }) {
  const rest = text.startsWith(draft) ? text.slice(spoken) : text;
  if (rest.trim()) say(rest.trim());
  if (refused) say("The documents do not answer this.");
  else {
    const supported = citations.filter(({ verdict }) => verdict === "supported").length;
    say(`Answer complete. ${citations.length} sources, ${supported} of them supported.`);
  }
}
