// Builds elements. Data only ever becomes text nodes or attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** The element with this id; ids are those of index.html. */
export const byId = (id) => document.getElementById(id);

/**
 * Make an element. `props`: `class`, `text`, `on` (event name to handler), `data` (dataset), all else an attribute;
 * `null`, `undefined` and `false` attributes are left out. Children are nodes or strings; empty ones are skipped.
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "on")
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

/** One of the icons of index.html. */
export function icon(name, className = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A button that does not submit. */
export const button = (label, props, onClick) =>
  el("button", { type: "button", ...props, on: { click: onClick } }, label);

/** Copy text, and say so on the button for a moment. */
export async function copy(text, from) {
  const label = from.textContent;
  try {
    await navigator.clipboard.writeText(text);
    from.textContent = "Copied";
  } catch {
    // Browsers give no clipboard to pages that are not served securely: leave the text selected, ready to be copied.
    from.textContent = "Not allowed here";
  }
  setTimeout(() => (from.textContent = label), 1600);
}
