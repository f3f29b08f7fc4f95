/* Live events, lines that come up, small comforts. Everything here is a comfort: reading and answering work without. */
(() => {
  "use strict";
  const body = document.body;
  const toasts = document.getElementById("toasts");
  const plainTitle = document.title;

  const toast = (text, { bad = false, href = "" } = {}) => {
    const line = document.createElement(href ? "a" : "p");
    line.className = bad ? "toast bad" : "toast";
    line.textContent = text;
    if (href) line.href = href;
    toasts.append(line);
    while (toasts.childElementCount > 3) toasts.firstElementChild.remove();
    setTimeout(() => line.remove(), bad ? 10000 : 6000);
    return line;
  };

  // The number of unread messages stands in the title.
  const showUnread = (count) => {
    body.dataset.unread = count;
    document.title = count > 0 ? `(${count > 99 ? "99+" : count}) ${plainTitle}` : plainTitle;
  };
  if (body.dataset.unread !== undefined) showUnread(Number(body.dataset.unread));

  body.addEventListener("toast", (event) => toast(event.detail.text, { bad: event.detail.bad }));
  const isLive = (name) => name === "counts" || name.startsWith("live-");
  ["htmx:sendError", "htmx:timeout"].forEach((name) => body.addEventListener(name, (event) => {
    const cause = event.detail.requestConfig?.triggeringEvent?.type || "";
    if (isLive(cause)) miss(cause, 3000); // nobody asked for it: tried again without a word
    else toast(body.dataset.offline || "", { bad: true });
  }));
  body.addEventListener("htmx:responseError", (event) => {
    if (!event.detail.xhr.getResponseHeader("HX-Trigger")) toast(body.dataset.failed || "", { bad: true });
  });
  body.addEventListener("htmx:oobAfterSwap", (event) => {
    const { unread, waiting } = event.target.dataset || {}; // of what has come, not of what it replaces
    if (unread !== undefined) showUnread(Number(unread));
    const number = document.querySelector(".shelves .number");
    if (waiting === undefined || !number) return;
    number.textContent = waiting;
    number.hidden = waiting === "0";
  });

  // Whoever is writing is not interrupted: what has changed meanwhile is fetched when they leave the field.
  const isWriting = (within) => {
    const at = document.activeElement;
    return at && within.contains(at) && at.matches("input:not([type=hidden]), textarea, select") && at.value !== at.defaultValue;
  };
  // The list that is fetched anew is as long as the one that is shown.
  body.addEventListener("htmx:configRequest", (event) => {
    const { elt, parameters } = event.detail;
    if (elt.id === "cards") parameters.shown = elt.querySelectorAll("article").length;
  });
  body.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, requestConfig } = event.detail;
    const cause = requestConfig.triggeringEvent;
    if (!cause || !cause.type.startsWith("live-") || !isWriting(elt)) return;
    event.preventDefault();
    document.activeElement.addEventListener("blur", () => setTimeout(() => htmx.trigger(body, cause.type), 300), { once: true });
  });
  // A swapped part keeps the focus on what had it, if that is still there.
  let focused = "";
  body.addEventListener("htmx:beforeSwap", () => {
    const at = document.activeElement;
    focused = at && at !== body ? at.id : "";
  });
  body.addEventListener("htmx:afterSettle", () => {
    if (focused && document.activeElement === body) document.getElementById(focused)?.focus({ preventScroll: true });
    focused = "";
  });

  /* What is fetched just now may be from before the event, and what replaces its element takes the queue along: so it is
     asked for once more when nothing is under way. */
  const missed = new Set();
  const isFetching = () => document.querySelector(".htmx-request") !== null;
  const again = () => {
    if (isFetching()) { setTimeout(again, 100); return; }
    const names = [...missed];
    missed.clear();
    names.forEach((name) => htmx.trigger(body, name));
  };
  const miss = (name, pause) => {
    if (!missed.size) setTimeout(again, pause);
    missed.add(name);
  };
  const stir = (...names) => {
    if (isFetching()) names.forEach((name) => miss(name, 100));
    names.forEach((name) => htmx.trigger(body, name));
  };

  /* Live: one stream a page. It goes on behind the last event it has seen, whatever broke the connection. */
  const live = () => {
    let source = null, after = "", since = "", pause = 1000, told = false, listed = "";
    const start = new URL(body.dataset.live, location.href);
    after = start.searchParams.get("after");
    since = start.searchParams.get("since");
    const watched = () => [...new Set([...document.querySelectorAll("[data-meeting], [data-watched]")]
      .flatMap((one) => (one.dataset.meeting || one.dataset.watched).split(",")).filter(Boolean))].slice(0, 200).join(",");
    const connect = () => {
      listed = watched();
      const address = new URL(start);
      address.searchParams.set("after", after);
      address.searchParams.set("since", since);
      if (listed) address.searchParams.set("watch", listed);
      source = new EventSource(address);
      let opened = false;
      source.onopen = () => { opened = true; pause = 1000; told = false; body.dataset.connected = "1"; };
      source.onerror = () => {
        // Our own reconnection: the browser's gives up on an answer like 503, and a new stream needs the newest place.
        source.close();
        delete body.dataset.connected;
        // One that does not even begin: this browser may have been signed out from elsewhere.
        if (!opened) {
          fetch("/workbench/counts", { headers: { "HX-Request": "true" } }).then((answer) => {
            if (answer.status === 401) location.assign("/workbench/");
          }, () => {});
        }
        if (!told && pause > 4000) { told = true; toast(body.dataset.offline, { bad: true }); }
        // Hidden pages give way: a person has only so many streams, and the oldest would push each other out.
        if (document.hidden) {
          document.addEventListener("visibilitychange", connect, { once: true });
          return;
        }
        setTimeout(connect, pause * (0.75 + Math.random() / 2));
        pause = Math.min(pause * 2, 30000);
      };
      source.addEventListener("message", (event) => {
        const told = JSON.parse(event.data);
        after = event.lastEventId || after;
        showUnread(told.unread);
        toast(told.text, { href: `/workbench/meetings/${told.meetingId}` });
        stir("counts", `live-${told.meetingId}`, "live-list");
      });
      source.addEventListener("meeting", (event) => {
        const told = JSON.parse(event.data);
        if (told.since) since = String(told.since);
        stir(`live-${told.meetingId}`);
      });
    };
    connect();
    addEventListener("pagehide", () => source.close());
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
    // What is shown changes with "show more": the stream watches what is shown.
    body.addEventListener("htmx:afterSettle", () => {
      if (source.readyState === EventSource.OPEN && watched() !== listed) { source.close(); connect(); }
    });
  };
  if (body.dataset.live && window.EventSource) live();

  // At a desk the calendar stands beside the list, and goes along with it; on a phone it is not even asked for.
  const beside = document.querySelector(".beside");
  if (beside) {
    const desk = matchMedia("(min-width: 75rem)");
    const fetchBeside = () => { if (desk.matches) htmx.trigger(beside, "beside"); };
    addEventListener("load", fetchBeside);
    desk.addEventListener("change", fetchBeside);
    body.addEventListener("live-list", fetchBeside);
    body.addEventListener("counts", fetchBeside);
  }

  document.querySelectorAll("form[data-submit]").forEach((form) => form.requestSubmit());
})();
