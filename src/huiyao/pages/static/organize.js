/* The form for a meeting: people become chips at once, busy times follow what is chosen. All of it works without, too. */
(() => {
  "use strict";
  const form = document.getElementById("organize");
  if (!form) return;
  form.classList.add("scripted");
  const chips = document.getElementById("chips");
  const search = document.getElementById("people");
  const found = document.getElementById("found");
  const pasted = document.getElementById("pasted");
  const said = document.getElementById("said");
  const count = document.getElementById("people-count");
  const myself = form.elements.myself;
  const model = document.getElementById("chip").content.firstElementChild;
  const say = (text, name) => { said.textContent = (form.dataset[text] || "").replace("{name}", () => name); };

  const chosen = new Map([...chips.children].map((one) => [one.dataset.uid, one]));
  const recount = () => { count.textContent = chosen.size + (myself.checked ? 1 : 0); };

  // Busy times are asked for once the hands rest.
  let pause = 0;
  const look = () => {
    clearTimeout(pause);
    pause = setTimeout(() => htmx.trigger("#busy", "busy"), 400);
  };

  const add = (uid, name) => {
    if (chosen.has(uid)) return false;
    const chip = model.cloneNode(true);
    chip.dataset.uid = uid;
    chip.querySelector("input").value = JSON.stringify([uid, name]);
    chip.querySelector(".name").textContent = name;
    const number = chip.querySelector(".dim");
    if (uid === name) number.remove(); else number.textContent = uid;
    const drop = chip.querySelector("button");
    drop.value = uid;
    drop.setAttribute("aria-label", form.dataset.remove.replace("{name}", () => name));
    chips.append(chip);
    chosen.set(uid, chip);
    return true;
  };
  const changed = () => { recount(); markChosen(); look(); };
  const markChosen = () => form.querySelectorAll(".found .choice").forEach((one) => {
    if (chosen.has(one.value)) one.setAttribute("aria-disabled", "true");
    else one.removeAttribute("aria-disabled");
  });
  const nameOf = (chip) => chip.querySelector(".name").textContent;
  const drop = (uid) => {
    const chip = chosen.get(uid);
    const next = (chip.nextElementSibling || chip.previousElementSibling)?.querySelector("button") || search;
    say("removed", nameOf(chip));
    chip.remove();
    chosen.delete(uid);
    next.focus();
    changed();
  };

  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.name === "drop") {
      event.preventDefault();
      drop(button.value);
    } else if (button.name === "add") {
      event.preventDefault();
      if (add(button.value, button.dataset.name)) say("added", button.dataset.name);
      const unclear = button.closest(".unclear");
      if (unclear) {
        forget(unclear.dataset.entry);
        unclear.remove();
      } else {
        found.replaceChildren();
        search.value = "";
        search.focus();
      }
      changed();
    } else if (button.name === "take") {
      event.preventDefault();
      [form.elements.begin.value, form.elements.end.value] = button.value.split("/");
      length = lasts();
      htmx.trigger("#busy", "busy");
      form.elements.begin.focus();
    }
  });

  // In the search: down to the results, Enter takes the first, Escape leaves. Among results the arrows go on.
  const results = () => [...found.querySelectorAll("button")];
  form.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.target === search) {
      if (event.key === "Enter") {
        event.preventDefault();
        results().find((one) => !one.hasAttribute("aria-disabled"))?.click();
      } else if (event.key === "ArrowDown" && results().length) {
        event.preventDefault();
        results()[0].focus();
      } else if (event.key === "Escape") {
        found.replaceChildren();
      }
      return;
    }
    const place = results().indexOf(event.target);
    if (place < 0) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      (results()[place + (event.key === "ArrowDown" ? 1 : -1)] || (event.key === "ArrowUp" ? search : event.target)).focus();
    } else if (event.key === "Escape") {
      found.replaceChildren();
      search.focus();
    }
  });
  // A list pasted into the search is a list.
  search.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text");
    if (!/[\n\t,;，；、]/.test(text.trim())) return;
    event.preventDefault();
    const list = form.elements.paste;
    list.closest("details").open = true;
    list.value = [list.value, text].filter(Boolean).join("\n");
    form.querySelector("button[value=paste]").click();
  });

  const forget = (entry) => {
    const list = form.elements.paste;
    list.value = list.value.split("\n").filter((line) => line.trim() !== entry).join("\n");
  };
  pasted.addEventListener("htmx:afterSettle", () => {
    pasted.querySelectorAll("li[data-uid]").forEach((one) => add(one.dataset.uid, one.dataset.name));
    // What nobody was found for stays, to be corrected.
    form.elements.paste.value = [...pasted.querySelectorAll("[data-entry]")].map((one) => one.dataset.entry).join("\n");
    changed();
  });
  found.addEventListener("htmx:afterSettle", markChosen);

  // Whoever moves the beginning moves the end.
  const asTime = (field) => Date.parse(`${field.value}Z`);
  const lasts = () => asTime(form.elements.end) - asTime(form.elements.begin);
  let length = lasts();
  form.elements.begin.addEventListener("change", () => {
    const end = asTime(form.elements.begin) + length;
    if (length >= 0 && !Number.isNaN(end)) form.elements.end.value = new Date(end).toISOString().slice(0, 16);
    look();
  });
  form.elements.end.addEventListener("change", () => { length = lasts(); look(); });
  myself.addEventListener("change", recount);

  const minutes = document.getElementById("minutes-row");
  const showMinutes = () => { minutes.hidden = form.elements.remind.value !== "other"; };
  form.elements.remind.addEventListener("change", showMinutes);
  showMinutes();

  // Twice is once: the server knows the form again, but nobody should have to rely on that.
  form.addEventListener("submit", (event) => {
    setTimeout(() => { if (!event.defaultPrevented && event.submitter) event.submitter.disabled = true; });
  });
  addEventListener("pageshow", () => form.querySelectorAll(".buttons button").forEach((one) => { one.disabled = false; }));
  document.getElementById("problem")?.focus();
})();
