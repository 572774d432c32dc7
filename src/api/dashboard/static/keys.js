// The short list of keys. Single letters do nothing while somebody types, and can be switched off (WCAG 2.1.4).
(function () {
  "use strict";

  const OFF = "nightporter-keys-off";
  const house = window.Nightporter;
  const list = document.getElementById("keys");
  const box = list.querySelector("input");
  const types = (node) => node.matches("textarea, select, input:not([type=checkbox]):not([type=radio]), [contenteditable]");

  function isOff() {
    try {
      return localStorage.getItem(OFF) === "yes";
    } catch {
      return false; // a browser that keeps nothing for us
    }
  }

  box.checked = !isOff();
  box.addEventListener("change", function () {
    try {
      localStorage.setItem(OFF, box.checked ? "no" : "yes");
    } catch {
      // it holds until the page is left
    }
  });

  const cardAt = () => document.activeElement.closest("[data-card]");

  function step(by) {
    const all = house.cards();
    const at = all.indexOf(cardAt());
    const to = at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by;
    if (all[to]) house.focus(all[to], true);
  }

  function approve() {
    const place = document.activeElement.closest("[data-item]");
    const form = place && place.querySelector("form[data-approve]");
    const button = form && form.querySelector("button.main");
    if (!button || button.disabled) return false;
    form.requestSubmit(button);
    return true;
  }

  const DEEDS = {
    j: () => step(1),
    k: () => step(-1),
    n: () => house.show(),
    u: () => document.getElementById("undo")?.click(),
    e: function () {
      const card = cardAt();
      const field = card && card.querySelector("textarea");
      if (field) field.focus();
      else if (card) card.querySelector("[data-edit]")?.click();
    },
    "?": () => list.showModal(),
  };

  document.addEventListener("keydown", function (event) {
    if (event.defaultPrevented || event.isComposing || list.open) return;
    const active = document.activeElement;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      if (!event.repeat && approve()) event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && types(active)) {
      const card = cardAt();
      if (card) house.focus(card, true);
      return;
    }
    if (types(active)) return;
    const onCard = active.matches("[data-card]");
    if (onCard && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      step(event.key === "ArrowDown" ? 1 : -1);
    } else if (onCard && event.key === "Enter") {
      active.querySelector("a[href]")?.click();
    } else if (Object.hasOwn(DEEDS, event.key) && box.checked) {
      event.preventDefault();
      DEEDS[event.key]();
    }
  });

  list.querySelector("button").addEventListener("click", () => list.close());
  for (const one of document.querySelectorAll("[data-show-keys]")) {
    one.addEventListener("click", () => list.showModal());
  }
})();
