// What lies over the page and is no wall: the cookie banner and the question about notifications.

import { label, make, options } from "./boot.js";

export function mountOverlays() {
  if (options.cookie_banner && !localStorage.getItem("cookies-answered")) document.body.append(cookieBanner());
  if (options.notification_modal) document.body.append(notificationModal());
}

function cookieBanner() {
  const only = make("button", { type: "button" }, label("cookies_only"));
  const all = make("button", { type: "button", "data-testid": "accept-btn" }, label("cookies_all"));
  const banner = make("div", { "data-testid": "main-cookies-banner-container", class: "cookies" });
  banner.append(make("p", {}, label("cookies")), only, all);
  for (const button of [only, all]) {
    button.addEventListener("click", () => {
      localStorage.setItem("cookies-answered", "1");
      banner.remove();
    });
  }
  return banner;
}

function notificationModal() {
  const close = make("button", { type: "button", "aria-label": label("close"), class: "close" }, "×");
  const no = make("button", { type: "button" }, label("not_now"));
  const yes = make("button", { type: "button" }, label("yes"));
  const box = make("div", { role: "dialog", "aria-modal": "true", "aria-labelledby": "notify-title", class: "box" });
  box.append(close, make("h1", { id: "notify-title" }, label("notify_title")), make("p", {}, label("notify_text")), no, yes);
  const shade = make("div", { "data-testid": "modal-container", class: "shade" }, box);
  for (const button of [close, no, yes]) button.addEventListener("click", () => shade.remove());
  return shade;
}
