// The two sheets of the page: beside the text where there is room, over it from the side, from below on phones.

import { byId } from "./dom.js";

const ROOMY = matchMedia("(min-width: 75rem)");

/**
 * A `<dialog>` that gives the focus back to what opened it. `beside`: where there is room it stands next to the page,
 * which stays usable. Esc and a click on the backdrop close it.
 */
export class Sheet {
  constructor(id, { beside = false } = {}) {
    this.dialog = byId(id);
    this.beside = beside;
    this.opener = null;
    byId(`${id}-close`).addEventListener("click", () => this.close());
    this.dialog.addEventListener("close", () => this.#closed());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.close());
    if (!beside) return;
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.dialog.open && !document.querySelector("dialog:modal")) this.close();
    });
    ROOMY.addEventListener("change", () => this.dialog.open && this.#show());
  }

  get open() {
    return this.dialog.open;
  }

  /** Show it; when it is open already it keeps standing and only what it is about changes. */
  show(opener) {
    this.opener = opener ?? this.opener;
    if (!this.dialog.open) this.#show();
  }

  close() {
    this.dialog.close();
  }

  #show() {
    if (this.dialog.open) this.dialog.close();
    if (this.beside && ROOMY.matches) {
      this.dialog.show();
      document.body.dataset.beside = "";
    } else {
      delete document.body.dataset.beside;
      this.dialog.showModal();
    }
  }

  #closed() {
    if (this.dialog.open) return; // it was shown again in the other way before the event came
    delete document.body.dataset.beside;
    if (this.opener?.isConnected) this.opener.focus({ preventScroll: true });
    this.opener = null;
  }
}
