// Sets an answer: paragraphs, lists, headings, tables, code, bold. What it does not know stays as it was written.
// Text is only ever put in as text nodes; every piece keeps its offsets, so that chips stand where the server put them.

import { el } from "./dom.js";

const FENCE = /^\s{0,3}```/;
const HEADING = /^(\s{0,3}#{1,6}\s+)/;
const ITEM = /^(\s*)([-*•]|\d{1,4}[.)])(\s+)/;
const ROW = /^\s*\|.*\|\s*$/;
const RULED = /^[\s|:-]+$/;
const INLINE = /`[^`\n]+`|\*\*[^*\n]+\*\*/g;
const LONGEST_KEPT = 24;

/**
 * The blocks of a text: `{kind, start, end, lines}`, where `lines` are the spans that hold words, in order.
 * Offsets are UTF-16 units.
 */
export function blocks(text) {
  const found = [];
  let open = null;
  const begin = (kind, line, from, more = {}) =>
    found.push((open = { kind, start: line.start, end: line.end, lines: [{ start: from, end: line.end }], ...more }));
  for (const line of lines(text)) {
    const words = text.slice(line.start, line.end);
    if (open?.kind === "code" && !open.closed) {
      open.end = line.end;
      if (FENCE.test(words)) open.closed = true;
      else open.lines.push(line);
      continue;
    }
    const item = ITEM.exec(words);
    const heading = HEADING.exec(words);
    if (!words.trim()) open = null;
    else if (FENCE.test(words)) begin("code", line, line.end, { lines: [] });
    else if (heading) {
      begin("heading", line, line.start + heading[1].length);
      open = null;
    } else if (ROW.test(words)) {
      if (open?.kind !== "table") begin("table", line, line.start, { lines: [] });
      open.end = line.end;
      if (!RULED.test(words)) open.lines.push(line);
    } else if (item) {
      const depth = Math.min(3, Math.floor(item[1].length / 2));
      begin("item", line, line.start + item[0].length, {
        depth,
        sign: /\d/.test(item[2]) ? item[2].replace(")", ".") : "•",
      });
    } else if (open?.kind === "paragraph" || open?.kind === "item") {
      open.lines.push(line);
      open.end = line.end;
    } else begin("paragraph", line, line.start);
  }
  return found;
}

/**
 * Sets texts into an element again and again, as they grow. Blocks that stay the same stay in place.
 * `set(text, {inserts, hidden})`: `inserts` are `{at, node}` sorted by `at`, `hidden` spans `{start, end}` that are not
 * shown. Both make everything be set anew.
 */
export function setter(into) {
  let before = [];
  return function set(text, { inserts = [], hidden = [] } = {}) {
    const wanted = blocks(text);
    const sources = wanted.map(
      ({ kind, start, end }, number) => `${kind} ${number + 1 < wanted.length} ${text.slice(start, end)}`,
    );
    let same = 0;
    if (!inserts.length) while (same < before.length && before[same] === sources[same]) same++;
    while (into.childNodes.length > same) into.lastChild.remove();
    const ink = new Ink(text, inserts, hidden);
    wanted.slice(same).forEach((block, number) => {
      const next = wanted[same + number + 1];
      into.append(SET[block.kind](block, ink, next ? next.start : Infinity));
    });
    before = inserts.length ? [] : sources;
    return ink;
  };
}

const SET = {
  paragraph: (block, ink, until) => ink.flow(el("p"), block.lines, until),
  heading: (block, ink, until) => ink.flow(el("p", { class: "heading" }), block.lines, until),
  item: (block, ink, until) => {
    const words = ink.flow(el("div", { class: "words" }), block.lines, until);
    return el(
      "div",
      { class: "item", data: { depth: block.depth } },
      el("span", { class: "sign", text: block.sign }),
      words,
    );
  },
  code: (block, ink, until) => {
    const pre = el("pre", { tabindex: "0" }, el("code"));
    block.lines.forEach((line, number) => {
      if (number) pre.firstChild.append("\n");
      ink.text(pre.firstChild, line.start, line.end);
    });
    const box = el("div", { class: "code" }, pre);
    ink.insertUpTo(until, box);
    return box;
  },
  table: (block, ink, until) => {
    const rows = block.lines.map((line, number) => {
      const cells = cellsOf(ink.source, line).map((cell) => {
        const node = el(number === 0 && block.lines.length > 1 ? "th" : "td");
        return ink.flow(node, [cell], cell.end + 1);
      });
      if (cells.length) ink.insertUpTo(line.end + 1, cells.at(-1));
      return el("tr", {}, cells);
    });
    const box = el("div", { class: "table", tabindex: "0" }, el("table", {}, el("tbody", {}, rows)));
    ink.insertUpTo(until, box);
    return box;
  },
};

/** Puts spans of one text into elements, with what is to be inserted and without what is hidden. */
class Ink {
  constructor(text, inserts, hidden) {
    this.source = text;
    this.inserts = inserts;
    this.hidden = hidden;
    this.pieces = []; // {start, node}: where each text node stands in the source
    this.inserted = 0;
  }

  /** Lines as running text; what is inserted before `until` ends up in it. */
  flow(into, spans, until) {
    spans.forEach(({ start, end }, number) => {
      this.insertUpTo(start, into);
      if (number) into.append("\n");
      let at = start;
      for (const match of this.source.slice(start, end).matchAll(INLINE)) {
        const [from, to] = [start + match.index, start + match.index + match[0].length];
        const sign = match[0].startsWith("`") ? 1 : 2;
        this.text(into, at, from);
        if (at < from) this.insertUpTo(from + 1, into);
        const inner = el(sign === 1 ? "code" : "strong");
        this.text(inner, from + sign, to - sign);
        into.append(inner);
        this.insertUpTo(to + 1, into);
        at = to;
      }
      this.text(into, at, end);
    });
    this.insertUpTo(until, into);
    into.dir = "auto"; // last: the browser looks for a letter with a direction at every change below it
    return into;
  }

  /** source[start:end], cut at what is inserted and hidden. */
  text(into, start, end) {
    let at = start;
    while (at < end) {
      const insert = this.inserts[this.inserted];
      const stop = insert && insert.at > at && insert.at < end ? insert.at : end;
      const hole = this.hidden.find((span) => span.end > at && span.start < stop);
      const last = hole ? Math.max(at, hole.start) : stop;
      if (last > at) {
        const node = document.createTextNode(this.source.slice(at, last));
        this.pieces.push({ start: at, node });
        into.append(node);
      }
      at = hole ? Math.min(stop, hole.end) : stop;
      if (insert && at >= insert.at && at < end) this.insertUpTo(at + 1, into);
    }
  }

  /** Everything inserted at an offset below `until`, glued to the word before it. */
  insertUpTo(until, into) {
    const nodes = [];
    while (this.inserted < this.inserts.length && this.inserts[this.inserted].at < until)
      nodes.push(this.inserts[this.inserted++].node);
    if (!nodes.length) return;
    const glue = el("span", { class: "glued" });
    const before = into.lastChild;
    const word = before instanceof Text ? /\S+\s*$/.exec(before.data.slice(-LONGEST_KEPT - 1))?.[0] : undefined;
    if (word && word.length <= LONGEST_KEPT) {
      const tail = before.splitText(before.length - word.length);
      const piece = this.pieces.find(({ node }) => node === before);
      this.pieces.push({ start: piece.start + before.length, node: tail });
      glue.append(tail);
    }
    glue.append(...nodes);
    into.append(glue);
  }

  /** Ranges over the text nodes that show source[start:end]. */
  ranges(start, end) {
    const found = [];
    for (const { start: from, node } of this.pieces) {
      const [first, last] = [Math.max(start, from), Math.min(end, from + node.length)];
      if (first >= last) continue;
      // Static: every change of the document would have to mend a live one, and there may be thousands.
      found.push(
        new StaticRange({
          startContainer: node,
          startOffset: first - from,
          endContainer: node,
          endOffset: last - from,
        }),
      );
    }
    return found;
  }
}

function* lines(text) {
  let start = 0;
  while (start <= text.length) {
    const next = text.indexOf("\n", start);
    const end = next === -1 ? text.length : next;
    yield { start, end };
    start = end + 1;
  }
}

/** The cells of a table row: spans between the bars, trimmed. */
function cellsOf(text, { start, end }) {
  const bars = [];
  for (let at = start; at < end; at++) if (text[at] === "|" && text[at - 1] !== "\\") bars.push(at);
  return bars.slice(0, -1).map((bar, number) => {
    let [from, to] = [bar + 1, bars[number + 1]];
    while (from < to && /\s/.test(text[from])) from++;
    while (to > from && /\s/.test(text[to - 1])) to--;
    return { start: from, end: to };
  });
}
