// A classic script in the head, so that the chosen theme stands before the first paint.
"use strict";

(() => {
  const stored = () => {
    try {
      return localStorage.getItem("plumbline.theme");
    } catch {
      return null; // storage is switched off: the system's choice holds
    }
  };
  const theme = stored();
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
