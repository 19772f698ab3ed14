// Talks to the server: keys, problems (RFC 9457), and answers as a stream of server-sent events.

const KEY = "plumbline.key";
const SILENCE_MS = 60_000; // the server sends a comment far more often than this

/** What went wrong, ready to be shown: a title, what exactly, and what to do. */
export class Problem extends Error {
  constructor({ title, detail = "", hint = "", status = 0, errors = [], instance = "", retryAfter = 0 }) {
    super(title);
    Object.assign(this, { title, detail, hint, status, errors, instance, retryAfter });
  }

  /** Whether no answer came at all, so that the server may be gone or starting again. */
  get lost() {
    return this.status === 0;
  }
}

export const unreachable = () =>
  new Problem({
    title: "The server cannot be reached",
    detail: "Nothing came back from it.",
    hint: "Is it running, and are you online?",
  });

const endedEarly = () =>
  new Problem({
    title: "The answer ended too early",
    detail: "The connection was lost before the server had checked the answer.",
    hint: "What stands above is unchecked. Ask again.",
  });

/** The key of this tab, kept until the tab is closed. */
export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

let askForKey = null;
let asking = null;

/** `ask(rejected)` shows the form and resolves when a key has been given. */
export function onUnauthorized(ask) {
  askForKey = ask;
}

/** Fetch; throws `Problem`. A 401 waits for a key and tries again. An aborted call throws the browser's AbortError. */
export async function call(path, options = {}) {
  for (;;) {
    const used = key.get();
    const headers = { accept: "application/json", ...options.headers };
    if (used) headers.authorization = `Bearer ${used}`;
    let response;
    try {
      response = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw unreachable();
    }
    if (response.ok) return response;
    if (response.status !== 401 || !askForKey) throw await problemOf(response);
    if (key.get() === used) await Promise.race([newKey(used !== null), aborted(options.signal)]);
  }
}

/** The JSON of a call. */
export async function json(path, options) {
  const response = await call(path, options);
  try {
    return await response.json();
  } catch {
    throw unreachable();
  }
}

/** Ask; yields `[event, data]` as they come and ends after `answer` or `error`. Throws when the stream breaks off. */
export async function* ask({ question, kb, signal }) {
  const silence = new AbortController();
  const response = await call("api/ask", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ question, kb, stream: true }),
    signal: AbortSignal.any([signal, silence.signal]),
  });
  let timer;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  try {
    for await (const [event, data] of events(response.body, wait)) {
      yield [event, data];
      if (event === "answer" || event === "error") return;
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw endedEarly();
  } finally {
    clearTimeout(timer);
  }
  throw endedEarly();
}

/** The events of a text/event-stream: fields, comments and line ends as the HTML standard has them. */
async function* events(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let name = "message";
  let data = [];
  try {
    for (;;) {
      heard();
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (data.length) yield [name, JSON.parse(data.join("\n"))];
          [name, data] = ["message", []];
        } else if (line.startsWith("event:")) name = line.slice(6).trim();
        else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      }
    }
  } finally {
    reader.cancel().catch(() => undefined); // it has ended, or nobody reads it any more
  }
}

/** A problem from the body of an `error` event or of a response. */
export function problem(body, status = 0, retryAfter = 0) {
  const title = body?.title || `The server answered ${status || "with an error"}`;
  const errors = (body?.errors ?? []).map(({ field, message }) => `${field}: ${message}`);
  return new Problem({ ...body, title, status: body?.status || status || 500, errors, retryAfter });
}

async function problemOf(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    body = { detail: response.statusText }; // a proxy before the server answers in its own words
  }
  return problem(body, response.status, Number(response.headers.get("retry-after")) || 0);
}

/** Rejects once the signal aborts. */
function aborted(signal) {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

function newKey(rejected) {
  asking ??= askForKey(rejected).finally(() => (asking = null));
  return asking;
}
