// What the server told the page when it was loaded, and what it has learnt since.

export const boot = JSON.parse(document.querySelector("script[data-initializer-bootstrap]").textContent);
export const options = boot.options;
export const viewer = boot.viewer;

// Faults of the page itself; a later answer of the server may bring others.
export const page = { faults: boot.page };

const words = boot.labels;

/** A label of the chosen language, its {places} filled. */
export function label(name, values = {}) {
  return words[name].replace(/\{(\w+)\}/g, (place, key) => (key in values ? values[key] : place));
}

/** An element, its attributes and its children (elements or texts). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(named(name, value), value);
  }
  element.append(...children);
  return element;
}

// The fault "renamed ids": what tools look for is there under another name.
function named(name, value) {
  if (!page.faults.renamed) return name;
  return ["id", "data-testid", "data-item-id", "data-listrow"].includes(name) ? `data-v2-${name}` : name;
}

/** The number inside a global id. */
export function numberOf(id) {
  return Number(atob(id).split(":")[1]);
}

export function globalId(kind, number) {
  return btoa(`${kind}:${number}`);
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function clockTime(ms) {
  const style = { hour: "numeric", minute: "2-digit", timeZone: zone };
  const text = new Intl.DateTimeFormat(options.locale, style).format(new Date(Number(ms)));
  return options.locale === "en" ? text.toLowerCase() : text;
}

function dayKey(ms) {
  return new Date(ms).toDateString();
}

/** "Today", "Yesterday" or a date. */
export function dayName(ms) {
  const day = dayKey(Number(ms));
  if (day === dayKey(Date.now())) return label("today");
  if (day === dayKey(Date.now() - 86400000)) return label("yesterday");
  return new Intl.DateTimeFormat(options.locale, { dateStyle: "medium" }).format(new Date(Number(ms)));
}

/** How a row says when: a time today, else a day. */
export function rowTime(ms) {
  return dayKey(Number(ms)) === dayKey(Date.now()) ? clockTime(ms) : dayName(ms);
}
