// Three questions for a first visit, made of headings that really stand in the documents; none, if there are none.

import { json } from "./api.js";

const WANTED = 3;
const TRIED = 8;
const SPOTS = [0.55, 0.25];

/** Questions about headings of the documents of a knowledge base; reading them asks no model. */
export async function exampleQuestions(kb, documents) {
  const found = new Map();
  for (const spot of SPOTS) {
    for (const document of documents
      .filter(({ indexed, characters }) => indexed && characters > 200)
      .slice(0, TRIED)) {
      if (found.size === WANTED) return [...found.values()];
      const heading = await headingAt(kb, document, Math.floor(document.characters * spot));
      if (heading && !found.has(heading.toLowerCase()))
        found.set(heading.toLowerCase(), `What should I know about “${heading}”?`);
    }
  }
  return [...found.values()];
}

async function headingAt(kb, { document_id: id }, start) {
  const query = new URLSearchParams({ kb, start, end: start + 1, around: 1 });
  const { section } = await json(`api/documents/${encodeURIComponent(id)}/passage?${query}`);
  const heading = (section ?? "")
    .split(" > ")
    .at(-1)
    .replace(/^[\d.§)\s]+/, "")
    .trim();
  const words = heading.split(/\s+/).length;
  return words <= 7 && heading.length >= 4 && heading.length <= 60 && /\p{L}{3}/u.test(heading) ? heading : null;
}
