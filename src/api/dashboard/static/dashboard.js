// News never takes away what somebody is writing: a part with a changed field in it, or an open one in which
// somebody is, is not replaced; a line says that there is news.
(function () {
  "use strict";

  function isBeingWrittenIn(part) {
    const fields = part.querySelectorAll("textarea, input[type=text], input[type=search]");
    for (const field of fields) {
      if (!field.readOnly && field.value !== field.defaultValue) return true;
    }
    const active = document.activeElement;
    return part.contains(active) && active.matches("textarea, input, select");
  }

  function openOnes(part) {
    return Array.from(part.querySelectorAll("details[id][open]"), (one) => one.id);
  }

  let open = [];

  document.addEventListener("htmx:beforeSwap", function (event) {
    const part = event.detail.target;
    if (!part.matches("[data-live]")) return;
    if (event.detail.xhr.status !== 200) return;
    if (isBeingWrittenIn(part)) {
      event.detail.shouldSwap = false;
      document.getElementById("news").hidden = false;
      return;
    }
    open = openOnes(part);
  });

  document.addEventListener("htmx:afterSwap", function () {
    for (const id of open) {
      const one = document.getElementById(id);
      if (one) one.open = true;
    }
    open = [];
  });

  // How much waits stands in the title, which comes with every part of a page; the icons follow it.
  function showCount() {
    const found = /^\((\d+)\)/.exec(document.title);
    const icon = document.getElementById("icon");
    icon.href = found ? icon.dataset.waits : icon.dataset.calm;
    if (!("setAppBadge" in navigator)) return;
    const done = found ? navigator.setAppBadge(Number(found[1])) : navigator.clearAppBadge();
    done.catch(function () {}); // only an installed page has a badge
  }

  document.addEventListener("DOMContentLoaded", showCount);
  document.addEventListener("htmx:afterSettle", showCount);

  // A form is sent once: whoever clicks twice means once.
  document.addEventListener("submit", function (event) {
    if (event.defaultPrevented || event.target.method !== "post") return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
  });

  // Back to a page that the browser kept: its forms may be sent again.
  window.addEventListener("pageshow", function () {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
})();
