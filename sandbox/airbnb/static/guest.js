// The guest page: choose whom to play, write, and see the answers come in.

const byId = (id) => document.getElementById(id);
let open = null;
let known = new Set();
const asked = { threads: 0, messages: 0 }; // answers may overtake each other: only the latest question counts

async function call(path, body) {
  const init = body ? { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } } : {};
  const response = await fetch(`/guest/api${path}`, init);
  return response.ok ? response.json() : null;
}

function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const time = (ms) => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

function preview(message) {
  if (!message) return "";
  const who = message.side === "guest" ? "" : `${message.name}: `;
  return who + (message.text ?? "unsent");
}

async function showThreads() {
  const turn = ++asked.threads;
  const data = await call("/threads");
  if (!data || turn !== asked.threads) return;
  byId("nobody").hidden = data.threads.length > 0;
  byId("threads").replaceChildren(
    ...data.threads.map((thread) => {
      const button = make("button", "", { type: "button", "aria-current": String(thread.number === open) });
      const head = make("strong", thread.guest);
      if (thread.newest) head.append(make("time", time(thread.newest.at)));
      button.append(head, make("span", preview(thread.newest)), make("small", `${thread.listing} · ${thread.dates}`));
      button.addEventListener("click", () => show(thread.number));
      const item = make("li");
      item.append(button);
      return item;
    }),
  );
}

async function show(number) {
  if (number !== open) known = new Set();
  open = number;
  document.body.classList.add("open");
  for (const button of byId("threads").querySelectorAll("button")) button.removeAttribute("aria-current");
  await showMessages();
  await showThreads();
  if (matchMedia("(min-width: 761px)").matches) byId("text").focus();
}

async function showMessages() {
  const number = open;
  const turn = ++asked.messages;
  const data = await call(`/threads/${number}`);
  if (!data || number !== open || turn !== asked.messages) return;
  byId("who").textContent = data.guest;
  byId("where").textContent = `${data.listing} · ${data.dates}`;
  const by = byId("by");
  by.hidden = data.guests.length < 2;
  if (by.options.length !== data.guests.length || by.options[0]?.value !== data.guests[0]) {
    by.replaceChildren(...data.guests.map((name) => make("option", name, { value: name })));
  }
  const list = byId("messages");
  list.replaceChildren(
    ...data.messages.map((message) => {
      const gone = message.text === null ? " gone" : "";
      const item = make("li", message.text ?? "This message was unsent", { class: message.side + gone });
      if (message.side !== "airbnb") item.append(make("small", `${message.name} · ${time(message.at)}`));
      return item;
    }),
  );
  if (data.messages.some((message) => !known.has(message.number))) list.scrollTop = list.scrollHeight;
  known = new Set(data.messages.map((message) => message.number));
}

byId("write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const box = byId("text");
  const text = box.value.trim();
  if (!text || open === null) return;
  box.value = "";
  box.rows = 1;
  await call(`/threads/${open}/messages`, { text, by: byId("by").value || undefined });
});

byId("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    byId("write").requestSubmit();
  }
});

byId("text").addEventListener("input", (event) => {
  event.target.rows = Math.min(6, event.target.value.split("\n").length);
});

byId("back").addEventListener("click", () => {
  document.body.classList.remove("open");
  open = null;
});

byId("new").addEventListener("click", () => byId("arrive").showModal());

byId("arrive").addEventListener("close", async () => {
  const [name, text] = [byId("guest-name").value, byId("guest-text").value];
  if (byId("arrive").returnValue === "ok" && name.trim() && text.trim()) {
    const thread = await call("/threads", { guest: name, text });
    if (thread) await show(thread.number);
    byId("guest-name").value = byId("guest-text").value = "";
  }
});

const events = new EventSource("/guest/api/events");
events.onopen = showThreads;
events.onmessage = (event) => {
  showThreads();
  if (JSON.parse(event.data).thread === open) showMessages();
};
showThreads();
