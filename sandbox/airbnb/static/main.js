// Puts the inbox together: list, thread, addresses, and when to ask again.

import { report } from "./api.js";
import { label, options, page, viewer } from "./boot.js";
import { mountList, nodeOf, order, refreshList, select } from "./list.js";
import { connect } from "./live.js";
import { mountOverlays } from "./overlays.js";
import { mountThread, openNumber, openThread, refreshThread, shows } from "./thread.js";

const PATH = "/hosting/messages";

function addressed() {
  const match = /\/hosting\/messages\/(\d+)/.exec(location.pathname);
  return match ? Number(match[1]) : null;
}

function choose(number) {
  const wrong = page.faults.wrongThread?.[String(number)];
  const target = wrong ? wrong.opened : number;
  const shown = wrong?.address === "opened" ? target : number;
  if (number === openNumber() && addressed() === number) return;
  history.pushState(null, "", `${PATH}/${shown}`);
  select(shown);
  openThread(target);
  report("thread_opened");
}

// A list that names a newer message than the open thread shows makes the page ask for the thread as well.
function listCame(first) {
  const open = openNumber();
  if (first && options.auto_open_first && addressed() === null && order().length) choose(order()[0]);
  const newest = open && nodeOf(open)?.messageData.messages[0];
  if (newest && !shows(newest.id)) refreshThread();
}

function changed(number) {
  refreshList();
  if (number === null || number === openNumber()) refreshThread();
}

function comeBack() {
  if (document.visibilityState === "visible") refreshList();
}

function decorate() {
  const tabs = ["today_tab", "calendar_tab", "listings_tab", "messages", "menu_tab"];
  const nav = document.getElementById("tabs");
  for (const name of tabs) {
    const tab = document.createElement("span");
    tab.textContent = label(name);
    if (name === "messages") tab.className = "on";
    nav.append(tab);
  }
  document.querySelector(".me").textContent = viewer.name[0] ?? "?";
  document.querySelector(".foot").textContent = label("footer");
  if (page.faults.renamed) {
    for (const element of document.querySelectorAll("#site-content [data-testid], #site-content [id]")) {
      element.removeAttribute("data-testid");
      element.removeAttribute("id");
    }
  }
}

const listPanel = document.getElementById("inbox_panel");
const threadPanel = document.getElementById("thread_panel");
const detailsPanel = document.getElementById("details_panel");
decorate();
mountOverlays();
mountList(listPanel, { select: choose, news: listCame });
mountThread(threadPanel, detailsPanel, { sent: refreshList });
if (options.asks_on_return) {
  window.addEventListener("focus", comeBack);
  window.addEventListener("online", comeBack);
  document.addEventListener("visibilitychange", comeBack);
}
if (options.list_every) setInterval(refreshList, options.list_every * 1000);
window.addEventListener("popstate", () => {
  const number = addressed();
  if (number !== null && number !== openNumber()) {
    select(number);
    openThread(number);
  }
});
const start = addressed();
refreshList();
if (start !== null) {
  select(start);
  openThread(start);
}
connect(changed);
report("inbox_loaded");
