// What a person does with a form ([data-in-place]) happens without leaving the page: what is typed elsewhere stays, the
// card that was settled stays in its place, dimmed, and the next one has the focus.
(function () {
  "use strict";

  const house = window.Nightporter;

  const cardOf = (node) => node.closest("[data-item]");
  const cards = () => Array.from(document.querySelectorAll("[data-card]")).filter((one) => !one.matches(".gone"));

  // The next draft below, else the next one of any kind, else the last above.
  function nextTo(card) {
    const all = cards();
    const at = all.indexOf(card);
    const below = at < 0 ? [] : all.slice(at + 1);
    const isDraft = (one) => one.querySelector("form[data-approve]") !== null;
    return below.find(isDraft) || below[0] || all.filter((one) => one !== card).findLast(isDraft) || null;
  }

  function focus(card, byKey) {
    card.focus({ preventScroll: true });
    if (byKey) card.scrollIntoView({ block: "nearest" });
  }

  function refuse(form, text) {
    form.querySelector(".refused")?.remove();
    const note = document.createElement("p");
    note.className = "note bad small refused";
    note.setAttribute("role", "alert");
    note.textContent = text;
    form.append(note);
  }

  function leave(card) {
    card.classList.add("gone");
    const badge = card.querySelector(".badge");
    if (badge) {
      badge.className = "badge is-sent";
      badge.textContent = document.body.dataset.settled;
    }
    for (const one of card.querySelectorAll("button, textarea")) {
      one.disabled = true;
      if (one.localName === "textarea") one.defaultValue = one.value; // it was sent: not typed any more
    }
  }

  function shown(page, form, byKey) {
    const card = cardOf(form);
    const next = card && card.matches("[data-card]") ? nextTo(card) : null;
    const done = document.getElementById("done");
    house.morph(done, page.getElementById("done"));
    if (done.childElementCount) done.classList.add("toast");
    let to = card;
    for (const one of document.querySelectorAll("#live .gone")) {
      const back = page.getElementById(one.id);
      if (back) house.morph((to = one), back, true);
    }
    const again = card && page.getElementById(card.id);
    if (again) {
      house.morph(card, again, true);
    } else if (card) {
      leave(card);
      to = next || card;
    }
    house.take(document.getElementById("live"), page.getElementById("live"));
    if (to && to.isConnected && to.matches("[tabindex]")) focus(to, byKey);
  }

  async function send(form, button, byKey) {
    const body = new URLSearchParams(new FormData(form, button));
    const address = (button && button.getAttribute("formaction")) || form.getAttribute("action");
    let answer;
    try {
      answer = await fetch(address, { method: "POST", body, headers: { "HX-Request": "true" } });
    } catch {
      return refuse(form, document.body.dataset.unreachable);
    }
    const html = await answer.text();
    if (answer.status === 401) return refuse(form, document.body.dataset.loggedOut);
    if (!answer.ok) {
      const said = new DOMParser().parseFromString(html, "text/html").querySelector("[role=alert] p");
      refuse(form, said ? said.textContent : document.body.dataset.unreachable);
      window.htmx.trigger("#live", "sse:news");
      return undefined;
    }
    const page = house.read(html);
    if (!page.getElementById("live") || !page.getElementById("done")) return window.location.assign(answer.url);
    return shown(page, form, byKey);
  }

  document.addEventListener("submit", async function (event) {
    const form = event.target;
    if (event.defaultPrevented || !form.matches("[data-in-place]") || !document.getElementById("live")) return;
    event.preventDefault();
    if (form.dataset.sent) return;
    form.dataset.sent = "yes";
    // A press by the keyboard has no place on the screen.
    const byKey = house.lastByKey();
    try {
      await send(form, event.submitter, byKey);
    } finally {
      delete form.dataset.sent;
    }
  });

  document.addEventListener("click", function (event) {
    // The second half of a double click or tap: it may meet a button that has only just come there.
    if (event.detail > 1 && event.target.closest("form[data-in-place] button")) event.preventDefault();
    const close = event.target.closest("[data-close]");
    if (!close) return;
    const done = close.parentElement;
    done.replaceChildren();
    done.className = "";
    done.dataset.closed = "yes";
  });

  window.Nightporter.cards = cards;
  window.Nightporter.focus = focus;
})();
