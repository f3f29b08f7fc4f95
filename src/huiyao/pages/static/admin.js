/* Moments, which the server writes in UTC, on the reader's own clock. */
(() => {
  "use strict";
  const shown = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" }); // 2026-11-26 09:36:30
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const show = () => {
    document.querySelectorAll("time[data-moment]").forEach((one) => {
      one.textContent = shown.format(new Date(one.dateTime));
      one.removeAttribute("data-moment");
    });
    document.querySelectorAll("[data-zone]").forEach((one) => { one.textContent = zone; });
  };
  show();
  document.body.addEventListener("htmx:afterSwap", show);
})();
