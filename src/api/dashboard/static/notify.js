// Notifications of the browser, on a device whose person has asked for them, while a page of ours is open there.
// Nothing of a guest is in one. What is known is when the newest thing that waits began to wait.
(function () {
  "use strict";

  const WANTED = "nightporter-notify";
  const told = "nightporter-told-" + document.body.dataset.account;
  const panel = document.getElementById("notify");
  const there = "Notification" in window && "serviceWorker" in navigator;

  function isWanted() {
    return there && Notification.permission === "granted" && localStorage.getItem(WANTED) === "on";
  }

  function newestOf(text) {
    return Number(text) || 0;
  }

  // Several pages may be open: the one that is first to write the time down tells of it.
  async function tell(newest) {
    if (!isWanted() || newest <= newestOf(localStorage.getItem(told))) return;
    localStorage.setItem(told, String(newest));
    if (document.hasFocus()) return; // somebody is looking
    const data = document.body.dataset;
    const worker = await navigator.serviceWorker.getRegistration(data.notifyWorker);
    if (!worker) return;
    await worker.showNotification("Nightporter", { body: data.notice, icon: data.noticeIcon, tag: told });
  }

  function show() {
    if (!panel || !there) return;
    const state = Notification.permission === "denied" ? "denied" : isWanted() ? "on" : "off";
    panel.hidden = false;
    for (const one of panel.children) one.hidden = one.dataset.when !== state;
  }

  async function begin() {
    if ((await Notification.requestPermission()) === "granted") {
      await navigator.serviceWorker.register(document.body.dataset.notifyWorker);
      localStorage.setItem(WANTED, "on");
      localStorage.setItem(told, document.body.dataset.newest); // what waits already is on the page
    }
    show();
  }

  function end() {
    localStorage.removeItem(WANTED);
    show();
  }

  if (panel && there) {
    panel.querySelector("[data-do=begin]").addEventListener("click", begin);
    panel.querySelector("[data-do=end]").addEventListener("click", end);
  }
  show();
  tell(newestOf(document.body.dataset.newest));
  document.addEventListener("htmx:afterRequest", function (event) {
    tell(newestOf(event.detail.xhr.getResponseHeader("nightporter-newest")));
  });
})();
