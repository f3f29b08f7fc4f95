/* The calendar by keyboard and by swiping, and its line for the present time. Its links do the same without. */
(() => {
  "use strict";
  const body = document.body;
  const LETTERS = "calendar-letters"; // "off" in localStorage: letters are no shortcuts (WCAG 2.1.4)
  const calendar = () => document.getElementById("calendar");
  const press = (id) => document.getElementById(id)?.click();
  const isShown = (one) => one.getClientRects().length > 0;

  // What changes is said: the focus stays where it was, on "next" for example.
  const told = document.createElement("p");
  told.className = "hidden";
  told.setAttribute("role", "status");
  body.append(told);

  /* Cells: one stop for Tab in each group of days; arrows go from day to day, and through the meetings of a day. */
  const linksOf = (cells) => [...cells.querySelectorAll("[data-cell]")].filter(isShown);
  const makeStop = (links, stop) => links.forEach((one) => { one.tabIndex = one === stop ? 0 : -1; });
  const chosenOf = (links) => links.find((one) => one.getAttribute("aria-current") === "date") || links[0];
  const prepare = () => calendar()?.querySelectorAll("[data-cells]").forEach((cells) => {
    const links = linksOf(cells);
    if (links.length) makeStop(links, links.includes(document.activeElement) ? document.activeElement : chosenOf(links));
  });
  const goTo = (cells, to) => {
    if (!to) return;
    makeStop(linksOf(cells), to);
    to.focus();
  };
  const arrow = (cells, at, key) => {
    const links = linksOf(cells);
    const width = Number(cells.dataset.cells);
    const cell = Number(at.dataset.cell);
    const inCell = (number) => links.filter((one) => Number(one.dataset.cell) === number);
    const own = inCell(cell);
    const place = own.indexOf(at);
    const beside = (number) => {
      const there = inCell(number);
      return there[Math.min(place, there.length - 1)];
    };
    if (key === "ArrowDown") return goTo(cells, own[place + 1] || inCell(cell + width)[0]);
    if (key === "ArrowUp") return goTo(cells, own[place - 1] || inCell(cell - width).at(-1));
    if (key === "Home") return goTo(cells, inCell(cell - (cell % width))[0]);
    if (key === "End") return goTo(cells, inCell(cell - (cell % width) + width - 1)[0]);
    return goTo(cells, beside(cell + (key === "ArrowRight" ? 1 : -1)));
  };
  const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];

  const help = document.getElementById("calendar-help");
  const lettersOn = () => {
    try { return localStorage.getItem(LETTERS) !== "off"; } catch { return true; }
  };
  if (help) {
    const opener = document.getElementById("calendar-keys");
    const letters = document.getElementById("calendar-letters");
    opener.hidden = false;
    opener.addEventListener("click", () => help.showModal());
    letters.checked = lettersOn();
    letters.addEventListener("change", () => {
      try { localStorage.setItem(LETTERS, letters.checked ? "on" : "off"); } catch { letters.checked = true; }
    });
  }
  const create = () => (document.getElementById("calendar-new") || document.querySelector(".tabs .add"))?.click();
  const KEYS = {
    t: () => press("calendar-today"), d: () => press("calendar-day"), w: () => press("calendar-week"),
    m: () => press("calendar-month"), j: () => press("calendar-next"), k: () => press("calendar-previous"),
    n: create, "?": () => help.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
    if (at.closest("input, textarea, select, [contenteditable]")) return;
    const cells = at.dataset.cell && at.closest("#calendar [data-cells]");
    if (cells && ARROWS.includes(event.key)) {
      arrow(cells, at, event.key);
    } else if (cells && (event.key === "PageUp" || event.key === "PageDown")) {
      press(event.key === "PageUp" ? "calendar-previous" : "calendar-next");
    } else if (help && KEYS[event.key] && lettersOn()) { // beside the list, letters belong to the list
      KEYS[event.key]();
    } else {
      return;
    }
    event.preventDefault();
  });
  document.addEventListener("focusin", (event) => {
    const cells = event.target.dataset?.cell && event.target.closest("[data-cells]");
    if (cells) makeStop(linksOf(cells), event.target);
  });

  /* Swiping: over the chosen day's meetings to the next day, elsewhere to the next month, week or day. */
  let begun = null, swiped = "";
  const buttons = (at) => {
    const agenda = at.closest(".agenda");
    return agenda && document.getElementById("agenda-next") ? "agenda" : "calendar";
  };
  document.addEventListener("pointerdown", (event) => {
    begun = event.pointerType === "touch" && event.isPrimary && event.target.closest("#calendar")
      ? { x: event.clientX, y: event.clientY, which: buttons(event.target) } : null;
  });
  document.addEventListener("pointercancel", () => { begun = null; });
  document.addEventListener("pointerup", (event) => {
    if (!begun) return;
    const right = event.clientX - begun.x, down = event.clientY - begun.y, { which } = begun;
    begun = null;
    if (Math.abs(right) < 60 || Math.abs(right) < 2 * Math.abs(down)) return;
    // A swipe that ends on the link where it began is no click on it.
    const stop = (click) => { if (click.isTrusted) { click.preventDefault(); click.stopPropagation(); } };
    document.addEventListener("click", stop, { capture: true, once: true });
    setTimeout(() => document.removeEventListener("click", stop, { capture: true }), 50);
    swiped = right < 0 ? "from-right" : "from-left";
    press(`${which}-${right < 0 ? "next" : "previous"}`);
  });

  /* What is swapped in. */
  let inCells = false;
  body.addEventListener("htmx:beforeSwap", () => { inCells = Boolean(document.activeElement?.closest?.("#calendar [data-cells]")); });
  body.addEventListener("htmx:afterSettle", () => {
    const shown = calendar();
    if (!shown || shown.dataset.ready) return;
    ready();
    if (swiped) shown.firstElementChild.classList.add(swiped);
    swiped = "";
    if (inCells && document.activeElement === body) {
      const links = [...shown.querySelectorAll("[data-cells]")].flatMap(linksOf);
      chosenOf(links)?.focus({ preventScroll: true });
    }
    inCells = false;
  });
  // Beside the list it is fetched anew when something happens: the day that is shown stays.
  body.addEventListener("htmx:configRequest", (event) => {
    const { elt, triggeringEvent } = event.detail;
    const shown = calendar();
    if (shown && triggeringEvent?.type === "beside" && elt.contains(shown)) event.detail.path = shown.dataset.here;
  });

  /* The present time goes on, on the reader's clock, not on the browser's. */
  let started = 0, minute = 0;
  const ready = () => {
    const shown = calendar();
    if (!shown) return;
    const title = document.getElementById("calendar-title").textContent;
    if (told.dataset.title && told.dataset.title !== title) told.textContent = title;
    told.dataset.title = title;
    shown.dataset.ready = "1";
    started = performance.now();
    minute = Number(shown.dataset.minute);
    prepare();
  };
  const tick = () => {
    const shown = calendar();
    if (!shown?.dataset.ready) return;
    const now = minute + Math.floor((performance.now() - started) / 60000);
    const line = shown.querySelector(".now");
    if (now >= 1440 || (line && now >= Number(line.closest(".hours").dataset.last) * 60)) {
      htmx.trigger(shown, "calendar");
    } else if (line) {
      line.className = `now h${Math.floor(now / 60)} m${now % 60}`;
    }
  };
  setInterval(tick, 20000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
  addEventListener("resize", prepare); // other links are shown
  ready();
})();
