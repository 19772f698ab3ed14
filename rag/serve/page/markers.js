// Finds the "[Source: document, page X]" markers that hosted models write; chips stand in their place.
// The server has checked them (rag/answer/markers.py); here they only have to be recognised.

const OPEN = /\[\s*sources?\s*:\s*/giy;
const ANOTHER = /\s*(?:sources?\s*:\s*)?/iy;
const BEGUN =
  /\[\s*(?:s(?:o(?:u(?:r(?:c(?:e(?:s?\s*)?)?)?)?)?)?)?$|\[\s*sources?\s*:(?:[^[\]]|\[[^[\]]*\])*(?:\[[^[\]]*)?$/i;
const LONGEST_BEGUN = 400;
const LONGEST = 4000; // names are at most 255 long; without a bound, brackets that never close would be slow

/** Spans `{start, end}` of the markers, in UTF-16 units; `names` are the documents that may be cited. */
export function findMarkers(text, names) {
  const known = names.filter((name) => name.trim()).map((name) => name.toLowerCase());
  known.sort((one, other) => other.length - one.length);
  const lower = text.toLowerCase();
  // Where lower case is longer than the text, as of some letters, offsets would differ: compare names as they are.
  const comparable = lower.length === text.length ? lower : text;
  const found = [];
  let at = text.indexOf("[");
  while (at !== -1) {
    OPEN.lastIndex = at;
    const end = OPEN.test(text) ? closing(text, comparable, OPEN.lastIndex, known) : -1;
    if (end !== -1) found.push({ start: at, end });
    at = text.indexOf("[", end === -1 ? at + 1 : end);
  }
  return found;
}

/** The text without a marker that has begun at its end and is still being streamed. */
export function withoutBegunMarker(text) {
  const tail = text.slice(-LONGEST_BEGUN);
  const begun = BEGUN.exec(tail);
  return begun ? text.slice(0, text.length - tail.length + begun.index).trimEnd() : text;
}

/** Where the marker ends whose sources begin at `at`, or -1. A name may hold brackets and semicolons of its own. */
function closing(text, comparable, at, names) {
  let depth = 0;
  let place = skipName(comparable, at, names);
  const stop = Math.min(text.length, at + LONGEST);
  for (; place < stop; place++) {
    const sign = text[place];
    if (sign === "[") depth++;
    else if (sign === "]" && depth-- === 0) return place + 1;
    else if (sign === ";" || sign === ",") {
      ANOTHER.lastIndex = place + 1;
      ANOTHER.test(text);
      place = skipName(comparable, ANOTHER.lastIndex, names) - 1;
    }
  }
  return -1;
}

function skipName(comparable, at, names) {
  const begin = /["'`]/.test(comparable[at] ?? "") ? at + 1 : at;
  const name = names.find((candidate) => comparable.startsWith(candidate, begin));
  return name ? begin + name.length : at;
}
