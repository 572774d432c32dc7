// One message as the page shows it: group, sender buttons, bubble or card.

import { clockTime, dayName, label, make, numberOf, options, viewer } from "./boot.js";

function personOf(node, message) {
  const people = node.participants.edges.map((edge) => edge.node);
  return people.find((person) => person.accountId === message?.account.accountId);
}

function isText(message) {
  return message.contentType === "TEXT_CONTENT";
}

function isCard(message) {
  return !isText(message) && !["BULLETIN", "MEDIA"].includes(message.hydratedContent?.contentType);
}

/** The title of a card, wherever its layout keeps it. */
function cardText(message) {
  const content = message.hydratedContent?.content;
  if (!content) return "";
  if (content.sections) return content.sections.map((section) => section.text.body).join(" ");
  const header = content.headerV2?.tombstoneHeader ?? content.headerV2?.actionHeader;
  const title = header?.title;
  return title?.body ?? title?.components?.map((part) => part.text).join("") ?? content.payload ?? "";
}

function bodyOf(message) {
  if (!message.hydratedContent) return label("deleted");
  const content = message.hydratedContent.content;
  if (message.hydratedContent.contentType === "MEDIA") return label("photo");
  return content.body ?? cardText(message);
}

function ariaLabel(message, name, first, last) {
  const day = dayName(message.createdAtMs);
  const when = `${day}, ${clockTime(message.createdAtMs)}`;
  const text = bodyOf(message).replaceAll("\n", ".");
  if (message.account.accountType === "SERVICE") return label("service_says", { name: "Airbnb", text, when });
  if (message.contentSubType === "REQUEST_STAY_ALTERATION_CARD") return "Suggestion: Change reservation";
  const kind = isCard(message) ? "card" : "sent";
  const front = last ? `${label("most_recent")}. ` : first ? `${day}. ` : "";
  const edited = message.editedAtMs ? label("edited") : "";
  return front + label(kind, { name, text, when }) + edited;
}

function senderButtons(person, message, startsRun, endsRun) {
  const role = options.guest_label === "bare" && person.participantRole === "GUEST" ? null : person.roleDescription;
  const name = person.enrichedParticipantInfo.name;
  const time = clockTime(message.createdAtMs);
  const sentence = role ? label("sent_by", { name, role, time }) : label("sent_by_bare", { name, time });
  const parts = { top: null, avatar: null };
  if (startsRun) {
    const shown = role ? `${name} · ${role}` : name;
    parts.top = make("button", { "aria-label": sentence, class: "sender" }, `${shown} ${time}`);
  }
  if (endsRun) {
    const link = { "data-testid": "message-thread-profile-link", "aria-label": role ? `${name} · ${role}` : name };
    parts.avatar = make("button", { ...link, class: "avatar small", "data-name": "message-avatar" }, name[0] ?? "?");
    parts.avatar.style.setProperty("--hue", String((Number(person.accountId) * 47) % 360));
  }
  return parts;
}

function lines(text) {
  const parts = [];
  text.split("\n").forEach((line, index) => {
    if (index) parts.push(make("br"));
    parts.push(line);
  });
  return parts;
}

function content(message) {
  const wrapper = make("div", { "data-name": "message-content-wrapper", class: "text" });
  if (isCard(message)) {
    const rich = make("div", { "data-testid": "html-rich-text-container" }, make("strong", {}, cardText(message)));
    wrapper.append(make("div", { "data-pageslot": "true" }, rich));
  } else if (message.hydratedContent?.contentType === "MEDIA") {
    for (const item of message.hydratedContent.content.mediaItems) {
      wrapper.append(make("img", { src: item.uri, alt: label("photo"), width: 200, height: 150 }));
    }
  } else wrapper.append(...lines(bodyOf(message)));
  return wrapper;
}

function menus() {
  return make(
    "div",
    { class: "menus" },
    make("button", { "data-testid": "menu-button-reactions", "aria-label": label("reactions_menu") }, "☺"),
    make("button", { "data-testid": "menu-button-actions", "aria-label": label("more_actions") }, "⋯"),
  );
}

function itemId(message) {
  if (message.id) return String(numberOf(message.id));
  if (options.optimistic_item_id === "none") return null;
  return options.optimistic_item_id === "number" ? String(message.createdAtMs) : message.uuid;
}

function classOf(message, own) {
  if (message.account.accountType === "SERVICE" || message.hydratedContent?.contentType === "BULLETIN") return "notice";
  const side = own ? "own" : "other";
  const deleted = message.hydratedContent ? "" : " deleted";
  return isCard(message) ? `${side} card${deleted}` : side + deleted;
}

/** The group of one message, given its neighbours. */
export function bubbleFor(node, message, previous, next) {
  const person = personOf(node, message);
  const own = message.account.accountId === viewer.accountId;
  const name = own ? viewer.name : (person?.enrichedParticipantInfo.name ?? "Airbnb");
  const first = !previous || dayName(previous.createdAtMs) !== dayName(message.createdAtMs);
  const group = make("div", {
    role: "group",
    "data-item-id": itemId(message),
    "data-islastmessage": String(!next),
    "data-is-message-faded": String(message.state === "sending"),
    "aria-label": ariaLabel(message, name, first, !next),
    class: `message ${classOf(message, own)}`,
  });
  if (first) group.append(make("h3", { role: "heading", class: "day" }, dayName(message.createdAtMs)));
  const spacing = make("div", { "data-testid": "MessageOuterRegistryWrapperSpacingProps", class: "bubble" });
  const labelled = person && (!own || options.own_labelled);
  const same = (other) => other && other.account.accountId === message.account.accountId;
  const parts = labelled ? senderButtons(person, message, first || !same(previous), !same(next)) : {};
  if (parts.top) group.append(parts.top);
  spacing.append(content(message));
  const states = { sending: "sending", failed: "not_sent" };
  if (states[message.state]) spacing.append(make("span", { class: `state ${message.state}` }, label(states[message.state])));
  if (!message.state && isText(message)) spacing.append(menus());
  group.append(make("div", { class: "side" }, ...(parts.avatar ? [parts.avatar] : []), spacing));
  const counts = message.reactionSummary?.reactionCounts ?? [];
  if (counts.length) group.append(make("span", { class: "reactions" }, counts.map((one) => one.emoji).join(" ")));
  return group;
}
