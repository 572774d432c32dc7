// The calls of the page, in the form of field guide, section 2.1.

import { boot, options, page } from "./boot.js";
import { showWall, timesSolved } from "./walls.js";

const HEADERS = {
  "X-Airbnb-API-Key": boot.api_config.key,
  "x-airbnb-graphql-platform": "web",
  "x-airbnb-graphql-platform-client": "minimalist-niobe",
  "x-airbnb-supports-airlock-v2": "true",
  "x-csrf-without-token": "1",
};

function address(operation) {
  return `/api/v3/${operation}/${boot.hashes[operation]}`;
}

function extensions(operation) {
  return { persistedQuery: { version: 1, sha256Hash: boot.hashes[operation] } };
}

/** Ask; gives the JSON's `data`, or null when there is none for whatever reason. */
export async function query(operation, variables) {
  const parameters = new URLSearchParams({
    operationName: operation,
    locale: options.locale,
    currency: "EUR",
    variables: JSON.stringify(variables),
    extensions: JSON.stringify(extensions(operation)),
  });
  const answer = await call(`${address(operation)}?${parameters}`, { headers: HEADERS });
  return answer.data;
}

/** Change something; gives {ok, data}. */
export async function mutate(operation, variables) {
  const body = JSON.stringify({ operationName: operation, variables, extensions: extensions(operation) });
  const headers = { ...HEADERS, "Content-Type": "application/json" };
  return call(address(operation), { method: "POST", headers, body });
}

async function call(url, init) {
  const solvedBefore = timesSolved;
  let response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    return { ok: false, data: null };
  }
  const order = header(response, "x-sandbox-do");
  const faults = header(response, "x-sandbox-page");
  page.faults = faults ?? {};
  let body = null;
  try {
    body = await response.json();
  } catch (error) {
    body = null;
  }
  // A wall that this answer still knew of may have been solved while it was on its way.
  if (order && timesSolved > solvedBefore) delete order.show;
  obey(order);
  const usable = response.ok && body && body.data;
  return { ok: Boolean(usable), data: usable ? body.data : null };
}

function header(response, name) {
  const value = response.headers.get(name);
  return value ? JSON.parse(decodeURIComponent(value)) : null;
}

/** What the server wants to happen on the page: a wall, another address, a standstill. */
export function obey(order) {
  if (!order) return;
  if (order.hang) for (;;);
  if (order.go) location.assign(order.go);
  if (order.show) showWall(order.show);
}

/** What the real page reports all the time; nobody reads it. */
export function report(event) {
  if (!options.telemetry) return;
  const body = JSON.stringify({ event, at: Date.now() });
  fetch("/api/v2/client_events", { method: "POST", body, keepalive: true }).catch(() => {});
}
