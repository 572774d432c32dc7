// The list of conversations (field guide, section 3.1).

import { query } from "./api.js";
import { label, make, numberOf, options, page, rowTime, viewer } from "./boot.js";

const ROW_HEIGHT = 104;
const NEAR_END = 400;

const nodes = new Map(); // number -> thread node
const rows = new Map(); // number -> row element
let endCursor = null;
let hasMore = true;
let loaded = false;
let running = null;
let again = false;
let selected = null;
let onSelect = () => {};
let onNews = () => {};

let scroller, root, loader, end, button, empty;

export function mountList(panel, handlers) {
  onSelect = handlers.select;
  onNews = handlers.news;
  const heading = make("h1", { id: "inbox_header", "data-testid": "inbox-panel-toolbar-heading" }, label("messages"));
  const filters = make("div", { class: "filters" }, make("button", { class: "pill on" }, label("all")));
  filters.append(make("button", { class: "pill" }, label("unread_filter")));
  root = make("div", { id: "list_inbox", role: "group", "aria-label": label("list"), "data-listroot": "true" });
  loader = make("div", { "data-testid": "inbox-list-loader", class: "loader" }, make("i"), make("i"), make("i"));
  end = make("div", { role: "group", "aria-label": label("end_of_list"), class: "end" });
  button = make("button", { "aria-label": label("load_more"), class: "pill more" }, label("load_more"));
  button.addEventListener("click", loadMore);
  empty = make("p", { class: "hint" }, label("empty"));
  const marker = make("div", { "data-testid": "inbox-container-marker" }, root);
  scroller = make("div", { class: "scroller" }, marker, loader, button, empty);
  scroller.addEventListener("scroll", scrolled, { passive: true });
  panel.append(make("div", { class: "toolbar" }, heading, filters), scroller);
  show();
}

/** Ask for the newest part of the list again; calls that come meanwhile are joined into one more. */
export function refreshList() {
  if (running) {
    again = true;
    return running;
  }
  running = fetchPage(null).finally(() => {
    running = null;
    if (again) {
      again = false;
      refreshList();
    }
  });
  return running;
}

async function fetchPage(before) {
  const variables = {
    userId: viewer.id,
    numRequestedThreads: options.page_size,
    numPriorityThreads: 2,
    getPriorityInbox: true,
    useUserThreadTag: true,
    originType: "USER_INBOX",
    threadVisibility: "UNARCHIVED",
    threadTagFilters: [],
    priorityThreadTagFilters: ["priority"],
    query: null,
    getLastReads: false,
    getThreadState: false,
    getParticipants: true,
    getInboxFields: true,
    getMessageFields: true,
    getInboxOnlyFields: true,
    getThreadOnlyFields: false,
    skipOldMessagePreviewFields: false,
  };
  if (before) variables.beforeCursor = before;
  const data = await query("ViaductInboxData", variables);
  const inbox = data?.node?.messagingInbox;
  if (!inbox) return;
  const items = inbox.inboxItems ?? inbox.threads;
  for (const part of [inbox.priorityItems, items]) {
    for (const edge of part?.edges ?? []) nodes.set(numberOf(edge.node.id), edge.node);
  }
  const info = items.pageInfo;
  const first = !loaded;
  if (info.initialLoad) setTimeout(refreshList, 300);
  else loaded = true;
  if (before || first) {
    endCursor = info.endCursor;
    hasMore = info.hasNextPage;
  }
  show();
  onNews(first && loaded);
}

async function loadMore() {
  if (running || !hasMore || !loaded) return;
  running = fetchPage(endCursor).finally(() => {
    running = null;
    if (again) {
      again = false;
      refreshList();
    } else scrolled();
  });
}

function scrolled() {
  if (options.virtualised) draw();
  const left = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
  if (!options.load_more_button && left < NEAR_END) loadMore();
}

export function order() {
  const byActivity = (a, b) =>
    Number(b[1].mostRecentInboxActivityAtMsFromROS) - Number(a[1].mostRecentInboxActivityAtMsFromROS) || b[0] - a[0];
  return [...nodes].sort(byActivity).map(([number]) => number);
}

export function nodeOf(number) {
  return nodes.get(number);
}

export function select(number) {
  selected = number;
  for (const [key, row] of rows) row.setAttribute("aria-current", String(key === number));
}

function show() {
  loader.hidden = loaded && !hasMore && !options.list_loader_stays;
  button.hidden = !(options.load_more_button && loaded && hasMore);
  empty.hidden = !(loaded && nodes.size === 0);
  draw();
}

function draw() {
  const hidden = new Set(page.faults.hiddenRows ?? []);
  const ghosts = page.faults.ghostRows ?? [];
  let wanted = [...ghosts.map((ghost) => ghost.number), ...order().filter((number) => !hidden.has(number))];
  const total = wanted.length;
  let first = 0;
  if (options.virtualised) {
    first = Math.max(0, Math.floor(scroller.scrollTop / ROW_HEIGHT) - 3);
    const count = Math.ceil((scroller.clientHeight || 800) / ROW_HEIGHT) + 6;
    wanted = wanted.slice(first, first + count);
    root.style.paddingTop = `${first * ROW_HEIGHT}px`;
    root.style.paddingBottom = `${Math.max(0, total - first - wanted.length) * ROW_HEIGHT}px`;
  }
  const stay = new Set(wanted);
  for (const [number, row] of rows) {
    if (!stay.has(number)) {
      row.remove();
      rows.delete(number);
    }
  }
  wanted.forEach((number, index) => {
    const ghost = ghosts.find((entry) => entry.number === number);
    place(rowFor(number, first + index, ghost), index);
  });
  if (loaded && !hasMore) {
    end.setAttribute("data-item-index", String(total));
    if (root.lastElementChild !== end) root.append(end);
  } else end.remove();
}

function place(row, index) {
  if (root.children[index] !== row) root.insertBefore(row, root.children[index] ?? null);
}

function rowFor(number, index, ghost) {
  const facts = ghost ? ghostFacts(ghost) : factsOf(nodes.get(number));
  const print = JSON.stringify([facts, index]);
  const known = rows.get(number);
  if (known && known.print === print) return known;
  const row = buildRow(number, index, facts);
  row.print = print;
  row.setAttribute("aria-current", String(number === selected));
  if (known) known.replaceWith(row);
  rows.set(number, row);
  return row;
}

function ghostFacts(ghost) {
  return { names: ghost.name, preview: ghost.preview, time: "", about: "", unread: false, sentence: ghost.name };
}

function text(standard) {
  return (standard?.components ?? []).map((part) => part.text).join("");
}

/** How the newest message looks in a row: "You: …", "Airbnb: …", "<Name>: …" in groups. */
function previewOf(node) {
  const newest = node.messages.edges[0]?.node;
  const reaction = node.lastReactionV2;
  if (reaction && newest && Number(reaction.updatedAtMs) > Number(newest.createdAtMs)) {
    return reaction.reactionPreview.previewContent;
  }
  if (!newest) return "";
  const content = newest.deletedAtMs ? label("deleted") : newest.contentPreview.content;
  if (newest.account.accountId === viewer.accountId) return `${label("you")}: ${content}`;
  if (newest.account.accountType !== "USER") return `Airbnb: ${content}`;
  const people = node.participants.edges.map((edge) => edge.node);
  if (people.length < 3) return content;
  const author = people.find((person) => person.accountId === newest.account.accountId);
  return `${author?.enrichedParticipantInfo.name ?? "Airbnb"}: ${content}`;
}

function factsOf(node) {
  const names = text(node.inboxTitle);
  const about = text(node.inboxDescription);
  const preview = previewOf(node);
  const time = rowTime(node.mostRecentInboxActivityAtMsFromROS);
  const unread = node.userThreadTags.some((tag) => tag.userThreadTagName === "unread");
  const [status, dates = "", city = ""] = about.split(" · ");
  const [from = "", to = ""] = dates.split(" – ");
  const values = { names, time, preview, status, from, to, city };
  const sentence = node.inboxAccessibilityTemplateText.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
  const chip = node.inboxChips[0]?.title ?? "";
  return { names, preview, time, about, unread, chip, sentence: unread ? `${label("unread")} ${sentence}` : sentence };
}

function buildRow(number, index, facts) {
  const initial = facts.names.trim()[0] ?? "?";
  const avatar = make("div", { "data-testid": "thread-preview-avatar", class: "avatar", "aria-hidden": "true" }, initial);
  avatar.style.setProperty("--hue", String((number * 47) % 360));
  const top = make("div", { class: "line" }, make("span", { class: "name" }, facts.names), make("time", {}, facts.time));
  const body = make("div", { class: "body" }, top, make("div", { class: "preview" }, facts.preview));
  body.append(make("div", { class: "about" }, facts.about));
  if (facts.chip) body.append(make("span", { class: "chip" }, facts.chip));
  const link = make(
    "a",
    { "data-testid": `inbox_list_${number}`, "data-item-index": index, href: "#" },
    make("span", { class: "sr" }, facts.sentence),
    avatar,
    body,
  );
  link.addEventListener("click", (event) => {
    event.preventDefault();
    onSelect(number);
  });
  const inner = make("div", { id: `inbox_list_${number}` }, link);
  return make("div", { "data-listrow": "true", class: facts.unread ? "row unread" : "row" }, inner);
}
