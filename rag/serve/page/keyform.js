// Asks for a key when the server wants one. It is kept in this tab's sessionStorage, nowhere else.

import { key } from "./api.js";
import { byId } from "./dom.js";

const form = byId("key");
const field = byId("key-value");
let given = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const value = field.value.trim();
  if (!value) return;
  key.set(value);
  field.value = "";
  form.hidden = true;
  given?.();
});

byId("forget").addEventListener("click", () => {
  key.forget();
  location.reload(); // what the key let this tab see goes too
});

/** Show the form; resolves when a key has been given. `rejected`: the key at hand was not accepted. */
export function askForKey(rejected) {
  const problem = byId("key-problem");
  problem.hidden = !rejected;
  problem.textContent = rejected ? "That key was not accepted: it is mistyped or revoked." : "";
  key.forget();
  showForget();
  form.hidden = false;
  form.scrollIntoView({ block: "nearest" });
  field.focus();
  return new Promise((resolve) => {
    given = resolve;
  });
}

/** Offer to forget the key, once there is one. */
export function showForget() {
  byId("forget").hidden = key.get() === null;
}
