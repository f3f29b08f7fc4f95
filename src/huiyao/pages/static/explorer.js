/* Starts Swagger UI with this server's document, and gets it a token. Nothing is kept, and nobody else is asked. */
(() => {
  "use strict";
  const body = document.body;
  const form = document.getElementById("token");
  const told = document.getElementById("told");

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const shade = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", shade);
  shade();

  const tell = (text, bad = false) => {
    told.textContent = text;
    told.className = bad ? "bad" : "";
  };

  // A header holds bytes: those of the text in UTF-8.
  const utf8 = (text) => String.fromCharCode(...new TextEncoder().encode(text));

  // What Swagger UI leaves out for those who do not see it, or have no mouse.
  const AMENDS = [
    [".information-container", { role: "region", "aria-label": "OpenAPI" }],
    [".scheme-container", { role: "region", "aria-label": "Authorize" }],
    [".info .title", { role: "heading", "aria-level": "2" }],
    [".body-param textarea", { "aria-label": "body" }],
    [".examples-select-element", { "aria-label": "example" }],
    ["pre:not([tabindex])", { tabindex: "0" }],
  ];
  const labelled = (one) => one.setAttribute("aria-label", one.id); // one for each call that is open
  const calls = document.getElementById("calls");
  const amend = () => {
    AMENDS.forEach(([selector, attributes]) => calls.querySelectorAll(selector).forEach((one) => {
      Object.entries(attributes).forEach(([name, value]) => one.setAttribute(name, value));
    }));
    calls.querySelectorAll(".responses-table[id]").forEach(labelled);
  };
  // It knows English only. React goes on with the same text nodes, so their values may be ours.
  const words = JSON.parse(body.dataset.words);
  const translate = () => {
    const texts = document.createTreeWalker(calls, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const one = texts.currentNode;
      const told = words[one.nodeValue.trim()];
      if (told && !one.parentElement.closest("pre, textarea")) one.nodeValue = told;
    }
  };
  new MutationObserver(() => { amend(); translate(); })
    .observe(calls, { childList: true, characterData: true, subtree: true });

  const start = async () => {
    const answer = await fetch(body.dataset.document, { credentials: "omit" });
    const spec = await answer.json();
    delete spec.servers; // what is tried out is tried here, whatever the public address
    // The return codes, which follow, stand with each call that answers them.
    spec.info.description = spec.info.description.split("\n\n").slice(0, 2).join("\n\n");
    return SwaggerUIBundle({
      spec,
      dom_id: "#calls",
      presets: [SwaggerUIBundle.presets.apis],
      validatorUrl: null,
      queryConfigEnabled: false,
      persistAuthorization: false,
      tryItOutEnabled: true,
      displayRequestDuration: true,
      docExpansion: "list",
      defaultModelsExpandDepth: -1,
      syntaxHighlight: false, // its colours are too pale to read
      requestInterceptor: (request) => Object.assign(request, { credentials: "omit" }),
    });
  };

  const started = start();
  started.catch(() => tell(body.dataset.offline, true));

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { appId, appSecret } = Object.fromEntries(new FormData(form));
    tell("");
    try {
      const answer = await fetch("/openapi/token/get", {
        headers: { appId: utf8(appId.trim()), appSecret: utf8(appSecret.trim()) },
        credentials: "omit",
        cache: "no-store",
      });
      const { status, message, data } = await answer.json();
      if (status !== 0) return tell(`${status}: ${message}`, true);
      (await started).preauthorizeApiKey("tokenInHeader", data.accessToken);
      form.elements.appSecret.value = "";
      const until = new Date(data.expireTime).toLocaleTimeString(document.documentElement.lang);
      tell(`${body.dataset.good} ${until}`);
    } catch {
      tell(body.dataset.offline, true);
    }
  });
})();
