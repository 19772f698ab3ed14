// Where questions are written: Enter asks, Shift+Enter starts a line, Stop while an answer comes.

import { byId } from "./dom.js";

const field = byId("question");
const send = byId("ask-send");
const stop = byId("ask-stop");
let busy = false;

/** `onAsk(question)` and `onStop()`. */
export function compose({ onAsk, onStop }) {
  const submit = () => {
    const question = field.value.trim();
    if (!question || busy) return;
    field.value = "";
    grow();
    if (matchMedia("(hover: none)").matches) field.blur(); // the keyboard of glass would cover the answer
    onAsk(question);
  };
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  field.addEventListener("input", grow);
  addEventListener("resize", grow);
  stop.addEventListener("click", onStop);
}

/** While busy the button stops; what is being typed for the next question stays. */
export function setBusy(value) {
  const held = document.activeElement === send || document.activeElement === stop;
  busy = value;
  send.hidden = value;
  stop.hidden = !value;
  if (held) (value ? stop : send).focus();
}

/** Put the caret into the field, unless that would bring up a keyboard of glass. */
export function focusComposer() {
  if (matchMedia("(hover: hover)").matches) field.focus({ preventScroll: true });
}

function grow() {
  field.style.blockSize = "auto";
  field.style.blockSize = `${field.scrollHeight}px`;
}
