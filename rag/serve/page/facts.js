// What an answer cost, how sure it is, who gave it and where the time went.

import { button, copy, el } from "./dom.js";
import { count, duration, money, plural } from "./format.js";

/** The facts of an answer as one block. */
export function facts(answer) {
  return el(
    "div",
    { class: "facts" },
    el("dl", { class: "fact-list" }, confidence(answer), cost(answer), tokens(answer), model(answer), total(answer)),
    stages(answer.timings),
    foot(answer),
  );
}

const fact = (name, ...value) => el("div", { class: "fact" }, el("dt", { text: name }), el("dd", {}, value));

function confidence({ confidence: value, calibrated, refused }) {
  const bar = el("span", { class: "meter-fill" });
  bar.style.inlineSize = `${Math.round(Math.min(Math.max(value, 0), 1) * 100)}%`;
  const name = refused ? "Confidence in refusing" : "Confidence";
  const props = {
    class: "meter",
    role: "meter",
    "aria-label": name,
    "aria-valuemin": "0",
    "aria-valuemax": "1",
    "aria-valuenow": value.toFixed(2),
  };
  const note = calibrated
    ? null
    : el("span", {
        class: "remark",
        text: "not calibrated",
        title:
          "Until it is fitted on labelled questions it only ranks answers: 0.8 does not mean right 8 times in 10.",
      });
  return fact(name, el("span", { class: "figure" }, el("span", props, bar), value.toFixed(2)), note);
}

const cost = (answer) => fact("Cost", el("span", { class: "figure", text: money(answer.cost) }));

function tokens({ usage }) {
  const words = `${count(usage.input_tokens)} in, ${count(usage.output_tokens)} out`;
  const remarks = [
    usage.cached_input_tokens ? `${count(usage.cached_input_tokens)} from the cache` : "",
    usage.cache_write_tokens ? `${count(usage.cache_write_tokens)} written to the cache` : "",
    usage.reasoning_tokens ? `${count(usage.reasoning_tokens)} thought` : "",
    usage.images ? plural(usage.images, "picture") : "",
    usage.estimated ? "estimated" : "",
  ];
  const remark = remarks.filter(Boolean).join(", ");
  return fact(
    "Tokens",
    el("span", { class: "figure", text: words }),
    remark ? el("span", { class: "remark", text: remark }) : null,
  );
}

function model(answer) {
  return fact(
    "Answered by",
    el("bdi", { class: "figure", text: answer.model }),
    answer.cached ? el("span", { class: "remark", text: "from the answer cache" }) : null,
  );
}

const total = ({ timings }) => fact("Time", el("span", { class: "figure", text: duration(timings.total ?? 0) }));

/** A bar of all stages, and each with its name and time. What no stage accounts for is "other". */
function stages(timings) {
  const named = Object.entries(timings).filter(([name]) => name !== "total");
  const sum = named.reduce((value, [, time]) => value + time, 0);
  const rest = (timings.total ?? sum) - sum;
  if (rest > 0.01 * sum) named.push(["other", rest]);
  if (!named.length) return null;
  const whole = Math.max(timings.total ?? 0, sum) || 1;
  const bar = el("div", { class: "stages-bar", "aria-hidden": "true" });
  const list = el("dl", { class: "stages-list" });
  named.forEach(([name, time], number) => {
    const tint = String(name === "other" ? "other" : number % 6);
    const part = el("span", { data: { tint } });
    part.style.flexGrow = String(time / whole);
    bar.append(part);
    list.append(el("div", {}, el("dt", { data: { tint }, text: name }), el("dd", { text: duration(time) })));
  });
  return el("div", { class: "stages", role: "group", "aria-label": "Time by stage" }, bar, list);
}

function foot(answer) {
  const id = el("code", { class: "trace", text: answer.trace_id.slice(0, 12), title: answer.trace_id });
  return el(
    "p",
    { class: "foot" },
    answer.trace_id ? el("span", {}, "Trace ", id) : null,
    answer.trace_id
      ? button("Copy trace", { class: "quiet small" }, (event) => copy(answer.trace_id, event.currentTarget))
      : null,
    button("Copy answer", { class: "quiet small" }, (event) => copy(plain(answer), event.currentTarget)),
  );
}

/** The answer and its sources as text, to be pasted somewhere else. */
function plain({ text, citations }) {
  const sources = citations.map(
    ({ document: name, page, quote }, number) => `[${number + 1}] ${name}${page ? `, page ${page}` : ""}: “${quote}”`,
  );
  return [text, ...(sources.length ? ["", ...sources] : [])].join("\n");
}
