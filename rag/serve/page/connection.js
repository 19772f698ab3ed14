// Notices when the server is gone or starting, says so, and waits until it answers again.

import { byId, el } from "./dom.js";

const FIRST_MS = 1000;
const LONGEST_MS = 8000;

let waiting = false;

/** Show that the server is away and look for it; `back()` is called once it is ready. A second call changes nothing. */
export async function waitForServer(back) {
  if (waiting) return;
  waiting = true;
  let pause = FIRST_MS;
  let state = await ready();
  do {
    if (state !== "ready")
      say(state === "starting" ? "The server is starting…" : "The server cannot be reached. Trying again…");
    // Also when it was ready at once: what sent us here may come again, and is not to become a busy loop.
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 1.6, LONGEST_MS);
    state = await ready();
  } while (state !== "ready");
  waiting = false;
  byId("banner").hidden = true;
  await back();
}

async function ready() {
  try {
    const response = await fetch("ready", { cache: "no-store", credentials: "omit" });
    return response.ok ? "ready" : "starting";
  } catch {
    return "away"; // that is what is being found out
  }
}

function say(words) {
  const banner = byId("banner");
  if (!banner.hidden && banner.textContent === words) return;
  banner.replaceChildren(el("span", { text: words }));
  banner.hidden = false;
}
