// The remote view: enters with the link after #, shows the pictures as they come, sends what the person does.

import { sender, watchPointer, watchTyping } from "./gestures.js";

const PATH = document.body.dataset.path;
const LOGIN = document.body.dataset.login; // browser: driven from here; code: scanned by a phone; none: only looked at
const KEY = "nightporter-viewer";
const canvas = document.getElementById("screen");
const field = document.getElementById("typing");
const texts = document.getElementById("texts").content;
let viewer = sessionStorage.getItem(KEY) || "";
let over = false;

async function call(what, body) {
  const response = await fetch(`${PATH}/${what}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Viewer": viewer },
    body: JSON.stringify(body || {}),
  });
  const told = await response.json();
  if (!response.ok) throw new Error(told.reason || "lost");
  return told;
}

function say(kind, name) {
  const found = texts.querySelector(`[data-${kind}="${CSS.escape(name)}"]`) || texts.querySelector('[data-reason="not_readable"]');
  return { title: found.dataset.title || "", words: found.textContent };
}

function show(view) {
  document.body.dataset.view = view;
  document.getElementById("welcome").hidden = view !== "welcome";
  document.getElementById("message").hidden = view !== "message";
}

function message({ title, words }, { again = false, home = false } = {}) {
  document.getElementById("title").textContent = title;
  document.getElementById("words").textContent = words;
  document.getElementById("again").hidden = !again;
  document.getElementById("home").hidden = !home;
  document.getElementById("place").textContent = "";
  document.getElementById("status").textContent = "";
  show("message");
}

function refused(reason) {
  over = reason !== "lost";
  if (over) sessionStorage.removeItem(KEY);
  message(say("refused", reason), { home: over });
}

// --- what comes -----------------------------------------------------------------------------------------------

let asked = "";

function told(state) {
  document.getElementById("place").textContent = state.place;
  document.body.dataset.stage = state.stage;
  if (state.stage === "done") {
    over = true;
    sessionStorage.removeItem(KEY);
    const { title, words } = say("stage", "done");
    const held = ["released", "stale"].filter((what) => state[what])
      .map((what) => `${say("held", what).words} ${state[what]}.`);
    message({ title, words: [words, ...held].join(" ") }, { home: true });
  } else if (state.stage === "failed") {
    message(say("reason", state.reason), { again: true });
  } else if (state.stage !== "closed") {
    show("screen");
    document.getElementById("status").textContent = say("stage", state.stage).words;
    document.getElementById("done").disabled = state.stage !== "showing";
    if (state.stage === "showing" && asked !== "showing" && LOGIN === "browser") fit();
  }
  asked = state.stage;
}

let drawing = false;
let newest = null;

async function draw(bytes) {
  newest = bytes;
  if (drawing) return;
  drawing = true;
  while (newest) {
    const blob = new Blob([newest], { type: newest[0] === 0x89 ? "image/png" : "image/jpeg" });
    newest = null;
    const picture = await createImageBitmap(blob).catch(() => null);
    if (!picture) continue;
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      canvas.width = picture.width;
      canvas.height = picture.height;
    }
    canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
  }
  drawing = false;
}

async function watch() {
  const response = await fetch(`${PATH}/stream`, { headers: { "X-Viewer": viewer } });
  if (!response.ok) {
    refused((await response.json()).reason || "lost");
    return;
  }
  const reader = response.body.getReader();
  let rest = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const all = new Uint8Array(rest.length + value.length);
    all.set(rest);
    all.set(value, rest.length);
    let at = 0;
    while (all.length - at >= 5) {
      const length = new DataView(all.buffer, at + 1, 4).getUint32(0);
      if (all.length - at - 5 < length) break;
      const part = all.subarray(at + 5, at + 5 + length);
      if (all[at] === 1) draw(part.slice());
      else told(JSON.parse(new TextDecoder().decode(part)));
      at += 5 + length;
    }
    rest = all.slice(at);
  }
}

async function keepWatching() {
  while (!over) {
    try {
      await watch();
    } catch {
      if (!over) refused("lost");
    }
    if (!over) await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

// --- what goes ------------------------------------------------------------------------------------------------

const give = sender((gestures) => call("act", { gestures }));

function fit() {
  const room = document.querySelector("main").getBoundingClientRect();
  if (room.width > 0 && room.height > 0) {
    give({ type: "size", width: Math.round(room.width), height: Math.round(Math.max(room.height, 320)) });
  }
}

const drag = document.getElementById("drag");
drag.addEventListener("click", () => drag.setAttribute("aria-pressed", String(drag.getAttribute("aria-pressed") !== "true")));
watchPointer(canvas, give, () => drag.getAttribute("aria-pressed") === "true", (pointer) => {
  if (pointer === "mouse") canvas.focus();
});
watchTyping(field, canvas, give);
document.getElementById("tab").addEventListener("click", () => give({ type: "key", name: "Tab" }));
document.getElementById("return").addEventListener("click", () => give({ type: "key", name: "Enter" }));
document.getElementById("done").addEventListener("click", () => call("done").catch((error) => refused(error.message)));
document.getElementById("again").addEventListener("click", () => {
  call("again").then(() => show("screen"), (error) => refused(error.message));
});
// A keyboard that comes up makes the window lower, not the page that is shown narrower: only the width counts.
let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth !== width && document.body.dataset.view === "screen" && LOGIN === "browser") fit();
  width = window.innerWidth;
});

document.getElementById("enter").addEventListener("click", async () => {
  const token = location.hash.slice(1);
  history.replaceState(null, "", PATH + location.search);
  try {
    viewer = (await call("enter", { token: token || "-" })).viewer;
    sessionStorage.setItem(KEY, viewer);
    show("screen");
    keepWatching();
  } catch (error) {
    refused(error instanceof TypeError ? "lost" : error.message);
  }
});

document.getElementById("unsafe").hidden = location.protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
if (viewer && !location.hash.slice(1)) {
  show("screen");
  keepWatching();
}
