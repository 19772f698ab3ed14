// Numbers, prices, times and places as people read them; the same words as in the terminal (rag/plain.py).

const whole = new Intl.NumberFormat("en");

/** 12345 as "12,345". */
export const count = (value) => whole.format(value);

/** "1 document", "2 documents". */
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

/** Dollars with as many digits as matter. */
export function money(cost) {
  if (cost === null || cost === undefined) return "price unknown";
  return cost === 0 || cost >= 1 ? `$${cost.toFixed(2)}` : `$${cost.toFixed(6)}`;
}

/** A duration; below a tenth of a millisecond it is nothing to speak of. */
export function duration(value) {
  if (value >= 1) return `${value.toFixed(1)} s`;
  const ms = value * 1000;
  return ms >= 1 || ms === 0 ? `${ms.toFixed(0)} ms` : "< 1 ms";
}

/** Page and section on one line, or an empty string. */
export function place({ page, section }) {
  return [page === null || page === undefined ? "" : `page ${page}`, section ?? ""].filter(Boolean).join(" · ");
}

const VERDICTS = {
  supported: "Supported",
  partial: "Partly supported",
  unsupported: "Not supported",
  not_found: "Not found",
};

/** A verdict in words. */
export const verdict = (name) => VERDICTS[name] ?? name;

// A line break that no blank line, list item or table row follows: wrapped prose.
const WRAP = /(?<!\n)\n(?![\n\s*•|#>-]|\d+[.)])/g;

/**
 * A document's text with the line breaks of wrapped prose turned into spaces, of the same length. Breaks after lines
 * that are short for this text stay: headings, rows of tables, ends of paragraphs.
 */
export function reflowed(text) {
  const flat = text.replaceAll("\r", " ");
  const lengths = flat
    .split("\n")
    .map((line) => line.length)
    .filter(Boolean)
    .sort((one, other) => one - other);
  const full = 0.8 * (lengths[Math.floor(0.9 * (lengths.length - 1))] ?? 0);
  return flat.replace(WRAP, (found, at) => (at - (flat.lastIndexOf("\n", at - 1) + 1) >= full ? " " : found));
}

/** At most `longest` characters, on one line. */
export function short(text, longest) {
  const flat = text.split(/\s+/).filter(Boolean).join(" ");
  const points = Array.from(flat.slice(0, 2 * longest + 2));
  return points.length <= longest
    ? flat
    : `${points
        .slice(0, longest - 1)
        .join("")
        .trimEnd()}…`;
}

/**
 * Turns offsets in code points, which the API counts, into offsets in the UTF-16 units that JavaScript counts.
 * Returns a function; one walk over the text serves any number of offsets.
 */
export function unitOffsets(text) {
  if (!/[\ud800-\udfff]/.test(text)) return (offset) => Math.min(Math.max(offset, 0), text.length);
  const starts = [];
  let at = 0;
  for (const point of Array.from(text)) {
    starts.push(at);
    at += point.length;
  }
  starts.push(at);
  return (offset) => starts[Math.min(Math.max(offset, 0), starts.length - 1)];
}
