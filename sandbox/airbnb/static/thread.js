// One conversation (field guide, sections 3.2 and 3.3).

import { mutate, query } from "./api.js";
import { globalId, label, make, numberOf, options, page, viewer } from "./boot.js";
import { bubbleFor } from "./bubbles.js";
import { mountComposer } from "./composer.js";
import { showDetails } from "./details.js";

let panel, details;
let onSent = () => {};
let current = null; // {number, node, messages: Map, outgoing: [], hasOlder, cursor, ...}

export function mountThread(threadPanel, detailsPanel, handlers) {
  panel = threadPanel;
  details = detailsPanel;
  onSent = handlers.sent;
  panel.replaceChildren(make("p", { class: "hint" }, label("choose")));
}

export function openNumber() {
  return current?.number ?? null;
}

/** Whether the open thread already shows this message. */
export function shows(messageId) {
  return Boolean(current?.messages.has(messageId));
}

export async function openThread(number) {
  if (current) clearTimeout(current.readTimer);
  current = { number, node: null, messages: new Map(), outgoing: [], elements: new Map(), hasOlder: false, tries: 0 };
  panel.replaceChildren(make("div", { class: "loader" }, make("i"), make("i")));
  details.replaceChildren();
  const mine = current;
  await refreshThread();
  if (mine === current && mine.node) showDetails(details, number);
}

/** Ask for the newest messages of the open thread; calls that come meanwhile are joined into one more. */
export async function refreshThread() {
  const thread = current;
  if (!thread) return;
  if (thread.running) {
    thread.again = true;
    return;
  }
  thread.running = true;
  do {
    thread.again = false;
    await load(thread);
  } while (thread.again && thread === current);
  thread.running = false;
}

async function load(thread, cursor = null) {
  const variables = {
    globalThreadId: globalId("MessageThread", thread.number),
    numRequestedMessages: 50,
    originType: "USER_INBOX",
    getLastReads: false,
    forceReturnAllReadReceipts: false,
    forceUgcTranslation: false,
    isNovaLite: false,
    getThreadState: true,
    getParticipants: true,
    getInboxFields: true,
    getMessageFields: true,
    getInboxOnlyFields: false,
    getThreadOnlyFields: true,
    mockThreadIdentifier: null,
  };
  if (cursor) variables.earliestCursor = cursor;
  const data = await query("ViaductGetThreadAndDataQuery", variables);
  const node = data?.threadData;
  if (!node || thread !== current) return;
  take(thread, node, cursor);
}

function take(thread, node, cursor) {
  const part = node.messageData;
  const unfilled = part.messages.length === 0 && node.messages.edges.length > 0;
  if (unfilled && thread.tries < 5) {
    thread.tries += 1;
    setTimeout(() => thread === current && refreshThread(), 300);
  }
  const first = thread.node === null;
  const stuck = page.faults.stuck ?? [];
  for (const message of part.messages) {
    if (stuck.includes(message.uuid) && thread.outgoing.some((entry) => entry.uuid === message.uuid)) continue;
    thread.messages.set(message.id, message);
    thread.outgoing = thread.outgoing.filter((entry) => entry.uuid !== message.uuid);
  }
  thread.node = node;
  if (first || cursor) {
    thread.hasOlder = part.hasOlder === "YES" || part.hasOlder === true;
    thread.cursor = part.expandedCursorsSegment.earliestCursor;
  }
  if (first) build(thread);
  draw(thread, Boolean(cursor));
  planRead(thread);
}

function title(node) {
  const people = node.participants.edges.map((edge) => edge.node).filter((one) => one.accountId !== viewer.accountId);
  const shown = options.header_omits_guest ? people.filter((one) => one.participantRole !== "GUEST") : people;
  const names = shown.map((one) => one.enrichedParticipantInfo.threadDisplayName).join(", ");
  return names || node.inboxTitle.components.map((part) => part.text).join("");
}

function build(thread) {
  const heading = make("h2", { id: "thread_header", "data-testid": "thread-header-title" }, title(thread.node));
  const head = make("div", { class: "toolbar" }, heading);
  thread.list = make("div", { "data-testid": "message-list", class: "messages" });
  const items = make("div", { "data-testid": "message-thread-item-list-container", class: "scroller" }, thread.list);
  items.addEventListener("scroll", () => scrolled(thread, items), { passive: true });
  thread.scroller = items;
  const container = make("div", { "data-testid": "message-thread-container", class: "conversation" }, items);
  panel.replaceChildren(head, container);
  if (options.composer !== "missing" && !page.faults.noComposer) {
    const prefill = page.faults.prefill ?? {};
    const text = prefill[String(thread.number)] ?? prefill["*"] ?? "";
    container.append(mountComposer(text, { send: (body) => send(thread, body), typing: () => typing(thread) }));
  }
}

async function scrolled(thread, items) {
  if (items.scrollTop > 120 || !thread.hasOlder || thread.loadingOlder) return;
  thread.loadingOlder = true;
  await load(thread, thread.cursor);
  thread.loadingOlder = false;
}

function sorted(thread) {
  const byTime = (a, b) => Number(a.createdAtMs) - Number(b.createdAtMs) || numberOf(a.id) - numberOf(b.id);
  return [...thread.messages.values()].sort(byTime);
}

function draw(thread, older) {
  const { list, scroller } = thread;
  const before = scroller.scrollHeight - scroller.scrollTop;
  const atEnd = before - scroller.clientHeight < 80;
  const start = make("div", { "data-item-id": "-1", role: "none", "aria-label": label("start") });
  const messages = [...sorted(thread), ...thread.outgoing];
  const double = page.faults.doubleBubble ? messages.filter((message) => message.uuid === thread.lastUuid) : [];
  const all = [...messages, ...double];
  const wanted = all.map((message, index) => {
    const facts = [message, all[index - 1]?.account, all[index - 1]?.createdAtMs, all[index + 1]?.account];
    const print = JSON.stringify([...facts, index === all.length - 1]);
    const key = `${message.uuid}/${index >= messages.length}`;
    const known = thread.elements.get(key);
    if (known && known.print === print) return known;
    const element = bubbleFor(thread.node, message, all[index - 1], all[index + 1]);
    element.print = print;
    thread.elements.set(key, element);
    return element;
  });
  if (options.last_item_marker) {
    wanted.push(make("div", { id: "thread_page_last_item", "data-testid": "thread_page_last_item" }));
  }
  list.replaceChildren(start, ...wanted);
  if (older) scroller.scrollTop = scroller.scrollHeight - before;
  else if (atEnd || !thread.drawn) scroller.scrollTop = scroller.scrollHeight;
  thread.drawn = true;
}

function planRead(thread) {
  const unread = thread.node.userThreadTags.some((tag) => tag.userThreadTagName === "unread");
  const newest = sorted(thread).at(-1);
  if (!unread || !newest || thread.readUpTo === newest.id) return;
  thread.readUpTo = newest.id;
  clearTimeout(thread.readTimer);
  const variables = { messageThreadId: String(thread.number), messageId: String(numberOf(newest.id)) };
  thread.readTimer = setTimeout(async () => {
    await mutate("CreateLastMessageReadViaductMutation", variables);
    if (!options.live) onSent();
  }, options.mark_read_after * 1000);
}

function typing(thread) {
  mutate("CreateInstantEventViaductMutation", { messageThreadId: String(thread.number), eventType: "TYPING" });
}

async function send(thread, body) {
  const uuid = crypto.randomUUID();
  const account = { __typename: "ParticipantAccount", accountId: viewer.accountId, accountType: "USER" };
  const content = { content: { body } };
  const now = String(Date.now());
  const bubble = { uuid, account, contentType: "TEXT_CONTENT", hydratedContent: content, createdAtMs: now, state: "sending" };
  thread.outgoing.push(bubble);
  thread.lastUuid = uuid;
  thread.scroller.scrollTop = thread.scroller.scrollHeight;
  draw(thread, false);
  if (page.faults.dropEmoji) body = body.replace(/[\p{Extended_Pictographic}\ufe0f]/gu, "").trim();
  const answer = await mutate("CreateBulkMessagesMutation", {
    actAs: "PARTICIPANT",
    businessJustification: { feature: "USER_INBOX" },
    originType: "USER_INBOX",
    senderPlatform: "WEB",
    messages: [
      { content: { textContent: { body } }, uniqueIdentifier: uuid, loggingSource: "WEB_COMPOSE", loggingExtras: null },
    ],
    messageThreadId: thread.number,
    skipOldMessagePreviewFields: false,
  });
  confirm(thread, bubble, answer);
  if (!options.live) onSent();
}

function confirm(thread, bubble, answer) {
  const sent = answer.data?.createBulkMessages?.messages;
  const drop = () => (thread.outgoing = thread.outgoing.filter((entry) => entry !== bubble));
  if (!answer.ok) bubble.state = "failed";
  else if (sent && sent.length === 0) drop();
  else if (sent?.[0]?.contentType) {
    drop();
    thread.messages.set(sent[0].id, sent[0]);
  } else {
    bubble.state = "sent";
    bubble.id = sent?.[0]?.id;
    if (thread === current) refreshThread();
  }
  if (thread === current && thread.list.isConnected) draw(thread, false);
}
