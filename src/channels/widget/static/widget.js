/* Nightporter's chat for the pages of a site. One tag, no dependency, no build step:
 *
 *   <script async src="https://<the API>/widget.js" data-site="shop" data-lang="auto"></script>
 *
 * A message is never lost and never sent twice: it has an id before its first try, waits in the page's own storage
 * until it was taken, and may be tried for ever. What is shown are the rows of the conversation, by their numbers.
 * If anything here fails, the page stays as it was.
 */
(() => {
  "use strict";
  const tag = document.currentScript;
  if (!tag || !tag.dataset.site || window.nightporter) return;

  const BASE = new URL(`api/widget/${encodeURIComponent(tag.dataset.site)}`, tag.src).href;
  const KEY = `nightporter:${tag.dataset.site}`;
  const WAITS = [1000, 2000, 5000, 10000]; // after a failure, before the next try
  const POLL = 10000; // where there is no stream
  const READY = 5000; // a stream that says nothing for so long is held back by a proxy
  const SILENT = 25000; // the server gives a sign of life every 10 s
  const DAY = 86400000;
  const MOST = 4000; // characters

  // ---- what is kept: in the page's own storage, nothing before the first message -------------------------

  let memory = null; // where the browser keeps nothing
  let mine = null; // the token of somebody whom the site knows, given anew with each page

  function read() {
    if (memory) return memory;
    let found = null;
    try {
      found = JSON.parse(localStorage.getItem(KEY));
    } catch {}
    return { token: null, read: 0, pending: [], ...found };
  }

  function change(how) {
    const kept = read();
    how(kept);
    if (!memory) {
      try {
        localStorage.setItem(KEY, JSON.stringify(kept));
      } catch {
        memory = kept;
        note(say.private);
      }
    }
    return kept;
  }

  const token = () => mine || read().token;

  // ---- calls ---------------------------------------------------------------------------------------------

  function call(path, { body, shown = token(), ...more } = {}) {
    const headers = { ...more.headers };
    if (shown) headers.Authorization = `Bearer ${shown}`;
    if (body) headers["Content-Type"] = "application/json";
    return fetch(BASE + path, {
      method: body ? "POST" : "GET",
      body: body && JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
      referrerPolicy: "no-referrer",
      signal: more.signal || AbortSignal.timeout(15000),
      headers,
    });
  }

  // A pause that ends early when something happens: the network is back, the visitor writes, the tab is shown.
  const sleepers = new Set();
  const sleep = (ms) =>
    new Promise((done) => {
      const end = () => {
        clearTimeout(timer);
        sleepers.delete(end);
        done();
      };
      const timer = setTimeout(end, ms);
      sleepers.add(end);
    });
  const wake = () => [...sleepers].forEach((end) => end());

  // ---- sending -------------------------------------------------------------------------------------------

  let sending = false;

  // One tab at a time sends what waits, so that the first message makes one visitor however many tabs there are.
  async function send() {
    if (sending) return;
    sending = true;
    try {
      const work = async () => {
        for (let tries = 0; read().pending.length; ) tries = (await sendOne(read().pending[0], tries)) ? 0 : tries + 1;
      };
      await (navigator.locks && !memory ? navigator.locks.request(KEY, work) : work());
    } finally {
      sending = false;
    }
    if (read().pending.length) send();
  }

  async function sendOne(message, tries) {
    const shown = token();
    let answer = null;
    try {
      answer = await call("/messages", { shown, body: { text: message.text, client_id: message.id } });
    } catch {}
    const status = answer ? answer.status : 0;
    if (status === 202) {
      const taken = await answer.json().catch(() => null);
      if (taken) {
        if (!mine) knownToken = taken.visitor;
        change((kept) => {
          if (!mine) kept.token = taken.visitor;
          kept.pending = kept.pending.filter((one) => one.id !== message.id);
        });
        told(true);
        add({ id: taken.id, sequence: taken.sequence, role: "visitor", text: message.text, client_id: message.id });
        watch();
        return true;
      }
    }
    if (status === 401 && shown) {
      beginAnew(shown);
      return true;
    }
    if (status === 403 || status === 404 || status === 413 || status === 422) {
      change((kept) => (kept.pending = kept.pending.filter((one) => one.id !== message.id)));
      note(status === 413 ? say.long : say.refused);
      if (!box.value) box.value = message.text;
      draw();
      return true;
    }
    if (status === 429) {
      told(true, say.busy);
      await sleep((Number(answer.headers.get("Retry-After")) || 10) * 1000);
    } else {
      told(false);
      await sleep(WAITS[Math.min(tries, WAITS.length - 1)]);
    }
    return false;
  }

  // ---- being shown ---------------------------------------------------------------------------------------

  const known = new Map(); // id → message
  let last = 0; // the number up to which everything is known
  let watching = false;
  let cut = null; // ends the open stream

  function add(message) {
    const before = known.get(message.id);
    known.set(message.id, { ...before, ...message });
    if (!before || before.text !== message.text) draw();
  }

  async function catchUp() {
    for (let more = true; more; ) {
      const shown = token();
      const answer = await call(`/messages?after=${last}`, { shown });
      if (answer.status === 401) return beginAnew(shown);
      if (!answer.ok) throw new Error(answer.status);
      const page = await answer.json();
      if (shown !== token()) continue;
      page.messages.forEach(add);
      last = Math.max(last, page.last);
      more = page.more;
    }
    told(true);
  }

  // After every reconnect what was missed is asked for first. Where there is no stream, it is asked for by the clock.
  async function watch() {
    if (watching || !token()) return;
    watching = true;
    for (let failures = 0, blocked = 0; token(); ) {
      let pause = POLL;
      try {
        await catchUp();
        failures = 0;
        if (!token()) break;
        if (!document.hidden && Date.now() > blocked) {
          const end = await stream();
          if (end === "blocked") blocked = Date.now() + 60000;
          else if (end !== "full") pause = 300 + Math.random() * 400;
        }
      } catch {
        told(false);
        pause = WAITS[Math.min(failures++, WAITS.length - 1)];
      }
      await sleep(pause);
    }
    watching = false;
  }

  async function stream() {
    const ended = new AbortController();
    cut = () => ended.abort();
    let ready = false;
    let timer = setTimeout(cut, READY);
    try {
      const answer = await call("/events", { signal: ended.signal, headers: { "Last-Event-ID": String(last) } });
      if (!answer.ok || !answer.body) return "full";
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ; ) {
        const { value, done } = await reader.read();
        if (done) return "ended";
        ready = true;
        clearTimeout(timer);
        timer = setTimeout(cut, SILENT);
        const events = (rest + value).split("\n\n");
        rest = events.pop();
        events.forEach(take);
      }
    } catch {
      return ready || !ended.signal.aborted || document.hidden ? "ended" : "blocked";
    } finally {
      clearTimeout(timer);
      ended.abort();
      cut = null;
    }
  }

  function take(event) {
    const fields = {};
    for (const line of event.split("\n")) {
      const at = line.indexOf(":");
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 1).trim();
    }
    if (fields.event !== "message") return;
    const message = JSON.parse(fields.data);
    last = Math.max(last, message.sequence);
    add(message);
  }

  // The token is not good (any more): a new visitor, and that is said.
  function beginAnew(refused) {
    if (token() !== refused) return;
    if (cut) cut();
    if (mine) mine = null;
    else change((kept) => Object.assign(kept, { token: null, read: 0 }));
    knownToken = read().token;
    forget();
    note(say.anew);
  }

  function forget() {
    known.clear();
    last = 0;
    draw();
  }

  // ---- what it looks like --------------------------------------------------------------------------------

  let say = {}; // the sentences, in the visitor's language
  let isOpen = false;
  let host, launcher, count, panel, log, line, box, form, title;
  const notes = [];

  function make(name, given = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(given)) {
      if (key in element && key !== "role") element[key] = value;
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  function icon(path) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
    for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }))
      svg.setAttribute(key, value);
    shape.setAttribute("d", path);
    svg.append(shape);
    return svg;
  }

  const CSS = `
    :host { all: initial !important; }
    * { box-sizing: border-box; margin: 0; font: inherit; color: inherit; }
    [hidden] { display: none !important; }
    .all { --back: #fff; --ink: #1d2127; --soft: #f1f3f5; --pale: #59616b; --edge: #858c95;
      font: 16px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink); color-scheme: light; }
    button { cursor: pointer; border: 0; background: none; min-width: 44px; min-height: 44px; }
    :focus-visible { outline: 3px solid var(--ink); outline-offset: 2px; }
    .launch { position: fixed; z-index: 2147483000; right: max(16px, env(safe-area-inset-right));
      bottom: max(16px, env(safe-area-inset-bottom)); width: 56px; height: 56px; border-radius: 28px; display: grid;
      place-items: center; background: var(--mine); color: var(--on); border: 2px solid var(--on);
      box-shadow: 0 2px 10px #0005; }
    svg { width: 26px; height: 26px; fill: currentColor; }
    .count { position: absolute; top: -6px; right: -6px; min-width: 24px; height: 24px; padding: 0 6px; border-radius: 12px;
      background: #b3261e; color: #fff; font-size: 14px; line-height: 24px; font-weight: 600; text-align: center; }
    .panel { position: fixed; z-index: 2147483001; right: 16px; bottom: 84px; width: 376px; max-width: calc(100vw - 32px);
      height: 560px; max-height: calc(100vh - 108px); max-height: calc(100dvh - 108px); display: flex; flex-direction: column; overflow: hidden;
      background: var(--back); border: 1px solid var(--edge); border-radius: 14px; box-shadow: 0 8px 32px #0004;
      animation: rise .16s ease-out; }
    @keyframes rise { from { transform: translateY(12px); opacity: 0; } }
    .head { display: flex; align-items: center; gap: 8px; padding: 6px 6px 6px 16px; background: var(--mine); color: var(--on); }
    .head :focus-visible { outline-color: var(--on); outline-offset: -4px; }
    h2 { font-size: 17px; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .ai { flex: none; padding: 0 7px; border: 1px solid currentColor; border-radius: 6px; font-size: 13px; font-weight: 600; line-height: 20px; }
    .head button { margin-left: auto; display: grid; place-items: center; }
    .log { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 14px 14px 4px; display: flex; flex-direction: column; gap: 10px; }
    .log:focus-visible { outline-offset: -4px; }
    .note { align-self: center; text-align: center; font-size: 14px; color: var(--pale); max-width: 90%; }
    .said { max-width: 86%; align-self: flex-start; }
    .said.visitor { align-self: flex-end; }
    .who { display: flex; gap: 6px; align-items: center; font-size: 13px; color: var(--pale); margin-bottom: 3px; }
    .text { padding: 9px 13px; border-radius: 14px; background: var(--soft); white-space: pre-wrap; overflow-wrap: anywhere; }
    .visitor .text { background: var(--mine); color: var(--on); }
    .person .text { background: var(--back); border: 2px solid var(--edge); padding: 7px 11px; }
    .waits { font-size: 13px; color: var(--pale); text-align: right; }
    .text a { text-decoration: underline; }
    .line { min-height: 0; padding: 4px 16px; font-size: 14px; color: var(--ink); font-weight: 600; }
    form { display: flex; align-items: flex-end; gap: 6px; padding: 10px; border-top: 1px solid var(--edge); }
    textarea { flex: 1; min-height: 44px; max-height: 132px; padding: 10px 12px; resize: none; background: var(--back);
      border: 1px solid var(--edge); border-radius: 10px; }
    textarea::placeholder { color: var(--pale); opacity: 1; }
    .send { padding: 0 14px; border-radius: 10px; background: var(--mine); color: var(--on); font-weight: 600; }
    .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
    @media (prefers-color-scheme: dark) { .all { --back: #1b1e23; --ink: #eceff3; --soft: #2b3038; --pale: #aab2bd;
      --edge: #79818c; color-scheme: dark; } }
    @media (max-width: 480px) { .panel { inset: 0; width: 100%; max-width: none; height: 100%; height: 100dvh;
      max-height: none; border: 0; border-radius: 0; } .opened .launch { visibility: hidden; } }
    @media (prefers-reduced-motion: reduce) { .panel { animation: none; } }`;

  // Dark or light letters, whichever reads better on the site's colour (WCAG 2.2, relative luminance).
  function inkOn(colour) {
    const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
    const [r, g, b] = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
  }

  function build(config, code) {
    say = config.words[code];
    title = config.title;
    host = make("div", { lang: code });
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
    count = make("span", { className: "count", hidden: true, "aria-hidden": "true" });
    launcher = make(
      "button",
      { type: "button", className: "launch", "aria-haspopup": "dialog", "aria-expanded": "false" },
      icon("M4 3h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2h-8l-5 4v-4H4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z"),
      count,
    );
    const close = make(
      "button",
      { type: "button", "aria-label": say.close },
      icon("M6.4 5 12 10.6 17.6 5 19 6.4 13.4 12 19 17.6 17.6 19 12 13.4 6.4 19 5 17.6 10.6 12 5 6.4z"),
    );
    log = make("div", { className: "log", role: "log", "aria-live": "polite", "aria-label": say.conversation, tabIndex: 0 });
    line = make("p", { className: "line", role: "status" });
    box = make("textarea", { rows: 1, placeholder: say.write, "aria-label": say.write });
    form = make("form", {}, box, make("button", { className: "send", type: "submit" }, say.send));
    panel = make(
      "div",
      { className: "panel", role: "dialog", "aria-label": title, hidden: true },
      make("div", { className: "head" }, make("h2", {}, title), make("span", { className: "ai" }, say.ai), close),
      log,
      line,
      form,
    );
    const all = make("div", { className: "all" }, panel, launcher);
    all.style.setProperty("--mine", config.colour);
    all.style.setProperty("--on", inkOn(config.colour));
    root.append(all);

    launcher.addEventListener("click", () => toggle(!isOpen));
    close.addEventListener("click", () => toggle(false));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      write();
    });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        write();
      }
    });
    box.addEventListener("input", typed);
    panel.addEventListener("keydown", keepFocus);
    window.addEventListener("storage", changedElsewhere);
    window.addEventListener("online", wake);
    document.addEventListener("visibilitychange", () => {
      // A tab that nobody sees needs no stream: browsers allow few connections to one host.
      if (document.hidden) setTimeout(() => document.hidden && cut && cut(), 30000);
      else wake();
      draw();
    });
    document.body.append(host);
  }

  // Keys of the page (its shortcuts) are not pressed while somebody writes here.
  function keepFocus(event) {
    event.stopPropagation();
    if (event.key === "Escape") toggle(false);
    if (event.key !== "Tab") return;
    const all = [...panel.querySelectorAll("button, textarea, a, [tabindex]")];
    const at = all.indexOf(host.shadowRoot.activeElement);
    if (at === (event.shiftKey ? 0 : all.length - 1)) {
      event.preventDefault();
      all[event.shiftKey ? all.length - 1 : 0].focus();
    }
  }

  function toggle(open) {
    if (open === isOpen) return;
    isOpen = open;
    panel.hidden = !open;
    panel.parentNode.classList.toggle("opened", open);
    launcher.setAttribute("aria-expanded", String(open));
    draw();
    (open ? box : launcher).focus();
    if (open) log.scrollTop = log.scrollHeight;
  }

  function draw() {
    if (!host) return;
    const kept = read();
    const shown = [...known.values()].sort((a, b) => a.sequence - b.sequence);
    const taken = new Set(shown.map((one) => one.client_id));
    const wanted = [
      ["hello", { role: "note", text: say.hello }],
      ...shown.map((one) => [one.id, one]),
      ...notes.map((text, at) => [`note-${at}`, { role: "note", text }]),
      ...kept.pending
        .filter((one) => !taken.has(one.id))
        .map((one) => [one.id, { role: "visitor", text: one.text, client_id: one.id, waits: true }]),
    ];
    const atEnd = isAtEnd();
    const there = new Map([...log.children].map((child) => [child.dataset.key, child]));
    // A message keeps its element: what is read aloud is what is new.
    let before = null;
    for (const [key, message] of wanted) {
      const name = message.client_id || key;
      let element = there.get(name);
      if (!element) {
        element = bubble(message);
        element.dataset.key = name;
      } else if (!message.waits) element.querySelector(".waits")?.remove();
      there.delete(name);
      const place = before ? before.nextSibling : log.firstChild;
      if (place !== element) log.insertBefore(element, place);
      before = element;
    }
    there.forEach((element) => element.remove());
    if (atEnd) log.scrollTop = log.scrollHeight;

    const newest = Math.max(0, ...shown.map((one) => one.sequence));
    if (isOpen && !document.hidden && newest > kept.read && hasWritten()) change((one) => (one.read = newest));
    const unread = shown.filter((one) => one.role !== "visitor" && one.role !== "note" && one.sequence > read().read).length;
    count.hidden = isOpen || !unread;
    count.textContent = unread > 99 ? "99+" : String(unread);
    const words = isOpen ? say.close : say.open;
    launcher.setAttribute("aria-label", count.hidden ? words : `${words}, ${say.unread.replace("{n}", unread)}`);
  }

  const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 80;

  // Nothing is kept of a visitor who has only looked.
  const hasWritten = () => memory || read().token || [...known.values()].some((one) => one.role === "visitor");

  function bubble(message) {
    const name = message.name || (message.role === "assistant" ? title : say.team);
    if (message.role === "note") {
      const text = message.note ? say[message.note].replace("{name}", name) : message.text;
      return make("p", { className: "note" }, text);
    }
    const said = make("div", { className: `said ${message.role}` });
    if (message.role === "visitor") said.append(make("span", { className: "unseen" }, `${say.you}: `));
    else {
      const who = make("div", { className: "who" }, make("span", {}, name));
      if (message.role === "assistant") who.append(make("span", { className: "ai" }, say.ai));
      said.append(who);
    }
    said.append(make("div", { className: "text" }, ...linked(message.text)));
    if (message.waits) said.append(make("div", { className: "waits" }, say.sending));
    return said;
  }

  function linked(text) {
    return text.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]}'])/).map((part, at) =>
      at % 2 ? make("a", { href: part, target: "_blank", rel: "noopener noreferrer nofollow" }, part) : part,
    );
  }

  // ---- what the visitor does -----------------------------------------------------------------------------

  function write() {
    const text = box.value.replace(/\r\n/g, "\n").trim();
    if (!text) return;
    if (text.length > MOST) {
      line.textContent = say.long;
      return;
    }
    box.value = "";
    grow();
    change((kept) => kept.pending.push({ id: newId(), text, at: Date.now() }));
    draw();
    log.scrollTop = log.scrollHeight;
    wake();
    send();
  }

  // crypto.randomUUID is not there on pages without HTTPS.
  function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }

  let saidTyping = 0;

  function typed() {
    grow();
    if (!token() || Date.now() - saidTyping < 3000) return;
    saidTyping = Date.now();
    call("/typing", { body: {} }).catch(() => {});
  }

  function grow() {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, 132)}px`;
  }

  // Whether the server answers; a failure is shown, never swallowed.
  function told(connected, words = "") {
    const text = connected ? words : say.offline;
    if (!line || line.textContent === text) return;
    const atEnd = isAtEnd();
    line.textContent = text;
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  function note(text) {
    if (notes.includes(text)) return;
    notes.push(text);
    draw();
  }

  let knownToken = null;

  function changedElsewhere(event) {
    if (event.key !== KEY && event.key !== null) return;
    if (!mine && knownToken !== read().token) {
      knownToken = read().token;
      if (cut) cut();
      forget();
    }
    draw();
    watch();
    if (read().pending.length) {
      wake(); // another tab may have written what this one is to send
      send();
    }
  }

  // ---- what the page may call ----------------------------------------------------------------------------

  const built = start();
  window.nightporter = {
    open: () => built.then(() => toggle(true)),
    close: () => built.then(() => toggle(false)),
    /* Who the visitor is: proof is HMAC-SHA256 of userId with the site's key, made by the site's server. */
    async identify(userId, proof) {
      await built;
      const answer = await call("/identify", { body: { user_id: userId, hmac: proof }, shown: null });
      if (!answer.ok) return false;
      const visitor = (await answer.json()).visitor;
      if (visitor !== token()) {
        mine = visitor;
        if (cut) cut();
        forget();
      }
      watch();
      return true;
    },
  };

  async function start() {
    let config = null;
    for (let tries = 0; !config; tries++) {
      try {
        const answer = await fetch(`${BASE}/config`, { credentials: "omit", referrerPolicy: "no-referrer" });
        if (answer.ok) config = await answer.json();
        else if (answer.status < 500 && answer.status !== 429) return new Promise(() => {});
      } catch {}
      if (!config) await sleep(WAITS[Math.min(tries, WAITS.length - 1)] * 3);
    }
    const asked = !tag.dataset.lang || tag.dataset.lang === "auto" ? navigator.languages : [tag.dataset.lang];
    const codes = asked.map((one) => one.toLowerCase().split("-")[0]);
    if (!document.body) await new Promise((done) => document.addEventListener("DOMContentLoaded", done));
    build(config, codes.find((code) => config.languages.includes(code)) || config.languages[0]);
    const kept = read();
    knownToken = kept.token;
    // What waited when the page was left is sent now, if it is not of another day.
    if (kept.pending.some((one) => Date.now() - one.at > DAY))
      change((one) => (one.pending = one.pending.filter((waits) => Date.now() - waits.at <= DAY)));
    draw();
    watch();
    if (read().pending.length) send();
  }
})();
