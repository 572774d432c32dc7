// The count in the icons, and forms that are sent once.
(function () {
  "use strict";

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
  document.addEventListener("nightporter:counted", showCount);

  // A form is sent once: whoever clicks twice means once.
  document.addEventListener("submit", function (event) {
    if (event.defaultPrevented || event.target.method !== "post") return; // those in place see to it themselves
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
  });

  // Back to a page that the browser kept: its forms may be sent again.
  window.addEventListener("pageshow", function () {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
})();
