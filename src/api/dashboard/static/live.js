// A live part of a page ([data-live]) is fetched again when there is news. It is morphed in place: focus, scrolling,
// open parts, selected and typed text stay. While somebody has hold of it, the news wait behind a bar.
(function () {
  "use strict";

  // Where a finger may come down again: for so long after the last touch nothing moves.
  const REST_MS = 4000;
  const FIELDS = "textarea, select, input:not([type=hidden])";
  const TARGETS = "[data-list], a, button, summary, label, select, textarea, input";

  const bar = document.getElementById("news");
  let under = null; // what the mouse is over, or the finger touched last
  let down = false;
  let rest = 0;
  let held = null; // {part, fresh}: what waits behind the bar

  // --- what a person has in hand -------------------------------------------------------------------------

  function isChanged(field) {
    if (field.localName === "select") {
      const first = Array.from(field.options).findLastIndex((one) => one.defaultSelected);
      return field.selectedIndex !== Math.max(first, 0);
    }
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    return !field.readOnly && field.value !== field.defaultValue;
  }

  function hasTyped(node) {
    if (node.nodeType !== Node.ELEMENT_NODE) return false;
    const fields = node.matches("textarea, input") ? [node] : node.querySelectorAll("textarea, input:not([type=hidden])");
    return Array.from(fields).some((one) => !["checkbox", "radio"].includes(one.type) && isChanged(one));
  }

  function isInHand(part) {
    if (down) return true;
    if (under && part.contains(under) && under.closest(TARGETS)) return true;
    const active = document.activeElement;
    if (active !== part && part.contains(active)) {
      if (active.matches(FIELDS) || (active.matches(":focus-visible") && active.closest("[data-list]"))) return true;
    }
    const selected = document.getSelection();
    return selected !== null && !selected.isCollapsed && part.contains(selected.anchorNode);
  }

  // --- morphing ------------------------------------------------------------------------------------------

  // What somebody has typed into stays, though the server has nothing more for it; a note says so.
  function keep(node) {
    if (node.classList.contains("kept")) return;
    const note = document.getElementById("kept-note").content.cloneNode(true);
    node.classList.add("kept");
    for (const button of node.querySelectorAll("button")) button.remove();
    node.prepend(note);
  }

  const options = {
    morphStyle: "outerHTML",
    callbacks: {
      beforeNodeMorphed: (old) => !(old.nodeType === Node.ELEMENT_NODE && old.matches(FIELDS) && isChanged(old)),
      beforeNodeRemoved: function (node) {
        if (!hasTyped(node)) return true;
        keep(node);
        return false;
      },
      beforeAttributeUpdated: (name, element) => !(name === "open" && element.localName === "details"),
    },
  };

  // Of several things on the screen the topmost stays where it is; browsers do not all see to that themselves.
  function anchorOf(part) {
    if (window.scrollY === 0) return null;
    const seen = Array.from(part.querySelectorAll("[data-item][id]")).find((one) => one.getBoundingClientRect().bottom > 0);
    return seen ? { id: seen.id, top: seen.getBoundingClientRect().top } : null;
  }

  // Repeatable. ``over``: also over what was typed, which has been sent.
  function morph(part, fresh, over = false) {
    const anchor = anchorOf(part);
    window.Idiomorph.morph(part, fresh.cloneNode(true), over ? { morphStyle: "outerHTML" } : options);
    window.htmx.process(part);
    const again = anchor && document.getElementById(anchor.id);
    if (again) window.scrollBy({ top: again.getBoundingClientRect().top - anchor.top, behavior: "instant" });
  }

  // --- the bar -------------------------------------------------------------------------------------------

  function itemsOf(part) {
    return new Map(Array.from(part.querySelectorAll("[data-item]"), (one) => [one.id, one.dataset.item]));
  }

  function newItems(part, fresh) {
    const known = itemsOf(part);
    return Array.from(itemsOf(fresh).keys()).filter((id) => !known.has(id));
  }

  // What has become of it: new things, something that changed, or that what is being written was settled elsewhere.
  function newsOf(part, fresh) {
    const known = itemsOf(part);
    const now = itemsOf(fresh);
    for (const id of known.keys()) {
      const mine = document.getElementById(id);
      if (!mine.matches(".kept, :has(.kept)") && known.get(id) !== now.get(id) && hasTyped(mine)) {
        return bar.dataset.settled;
      }
    }
    const number = newItems(part, fresh).length;
    if (number) return number === 1 ? bar.dataset.one : bar.dataset.many.replace("#", String(number));
    const changed = Array.from(known).some(([id, state]) => {
      return !document.getElementById(id).matches(".kept, .gone") && now.get(id) !== state;
    });
    return changed ? bar.dataset.changed : "";
  }

  function hold(part, fresh) {
    held = { part, fresh };
    if (down) return; // not under a finger: it is said when that is lifted
    const news = newsOf(part, fresh);
    const words = bar.querySelector("span");
    if (words.textContent !== news) words.textContent = news;
    bar.hidden = news === "";
  }

  function drop() {
    held = null;
    bar.hidden = true;
  }

  function take(part, fresh) {
    if (part.dataset.live === "at-once") {
      if (down || part.dataset.closed) return;
      const asToast = part.classList.contains("toast");
      morph(part, fresh);
      if (asToast && part.childElementCount) part.classList.add("toast");
      return;
    }
    if (isInHand(part)) {
      hold(part, fresh);
    } else {
      drop();
      morph(part, fresh);
    }
  }

  function settle() {
    if (held && held.part.isConnected) take(held.part, held.fresh);
    else drop();
  }

  function show() {
    if (!held) return;
    const { part, fresh } = held;
    const first = newItems(part, fresh)[0];
    const before = document.activeElement;
    drop();
    morph(part, fresh);
    const to = first && document.getElementById(first);
    if (hasTyped(before) || !to) return;
    to.tabIndex = -1;
    to.focus({ preventScroll: true });
    to.scrollIntoView({ block: "nearest" });
  }

  bar.querySelector("button").addEventListener("click", show);

  document.addEventListener("click", function (event) {
    const away = event.target.closest("[data-put-away]");
    if (away) away.closest(".kept").remove();
  });

  // --- fetched anew --------------------------------------------------------------------------------------

  function read(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    if (page.title) document.title = page.title;
    return page;
  }

  document.addEventListener("htmx:beforeSwap", function (event) {
    const part = event.detail.target;
    if (!part.matches("[data-live]") || event.detail.xhr.status !== 200) return;
    if (event.detail.requestConfig.elt !== part) return drop(); // a search: the person asks for another list
    event.detail.shouldSwap = false;
    const fresh = read(event.detail.serverResponse).getElementById(part.id);
    if (fresh) take(part, fresh);
    document.dispatchEvent(new CustomEvent("nightporter:counted"));
  });

  // --- where the finger, the mouse and the cursor are ----------------------------------------------------

  const soon = () => setTimeout(settle, 0); // after the click that ends a press

  document.addEventListener("pointerover", function (event) {
    if (event.pointerType !== "mouse") return;
    under = event.target;
    if (held && !bar.contains(under)) soon();
  });
  document.documentElement.addEventListener("pointerleave", function (event) {
    if (event.pointerType !== "mouse") return;
    under = null;
    soon();
  });
  document.addEventListener("pointerdown", function (event) {
    down = true;
    under = event.target;
    clearTimeout(rest);
  });
  function lift(event) {
    down = false;
    soon();
    if (event.pointerType !== "mouse") restAgain();
  }
  function restAgain() {
    clearTimeout(rest);
    rest = setTimeout(function () {
      rest = 0;
      under = null;
      settle();
    }, REST_MS);
  }
  document.addEventListener("pointerup", lift);
  document.addEventListener("pointercancel", lift);
  window.addEventListener("blur", () => (down = false)); // lifted elsewhere
  document.addEventListener("visibilitychange", function () {
    if (!document.hidden) return;
    under = null;
    soon();
  });
  document.addEventListener("scroll", () => rest && restAgain(), { passive: true });
  document.addEventListener("focusout", soon);
  document.addEventListener("selectionchange", () => held && soon());

  let byKey = false;
  document.addEventListener("keydown", () => (byKey = true), true);
  document.addEventListener("pointerdown", () => (byKey = false), true);

  window.Nightporter = { morph, read, show, take, lastByKey: () => byKey };
})();
