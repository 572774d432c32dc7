// Where the host types (field guide, section 3.4).

import { label, make, options, page } from "./boot.js";

const TYPING_TIMEOUT = 8000;

const editable = (value, attributes = {}) =>
  make("div", { ...attributes, contenteditable: value, role: "textbox", "aria-multiline": "true", class: "editor" });

// Each kind: the element that carries the test id, and the one to type into.
const KINDS = {
  contenteditable() {
    const box = editable("true", { "data-testid": "messaging-composebar", "aria-label": label("composer") });
    return [box, box];
  },
  "plaintext-only"() {
    const box = editable("plaintext-only", { "data-testid": "messaging-composebar", "aria-label": label("composer") });
    return [box, box];
  },
  nested() {
    const box = editable("true", { "aria-label": label("composer") });
    return [make("div", { "data-testid": "messaging-composebar", class: "nest" }, box), box];
  },
  textarea() {
    const box = make("textarea", { id: "message_input", rows: 1, placeholder: label("composer"), class: "editor" });
    return [make("div", { "data-testid": "messaging-composebar", class: "nest" }, box), box];
  },
};

/**
 * The lines of an editable box. Not `innerText`: that counts an empty line between two blocks twice. A browser puts
 * a <br> at the end of a block only to give it height, so that one is no line of its own.
 */
function linesOf(box) {
  const lines = [""];
  let fresh = true;
  const next = () => {
    lines.push("");
    fresh = true;
  };
  const add = (text) => {
    text.split("\n").forEach((part, index) => {
      if (index) next();
      lines[lines.length - 1] += part;
      if (part) fresh = false;
    });
  };
  const walk = (parent) => {
    for (const node of parent.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) add(node.data);
      else if (node.tagName === "BR") {
        if (node.nextSibling) next();
        else fresh = false;
      } else if (["DIV", "P"].includes(node.tagName)) {
        if (!fresh || node.previousSibling) next();
        walk(node);
        fresh = false;
        if (node.nextSibling?.nodeType === Node.TEXT_NODE) next();
      } else walk(node);
    }
  };
  walk(box);
  return lines;
}

/** The composer; calls `send(text)` on Enter or on the button, `typing()` when somebody begins to type. */
export function mountComposer(prefilled, { send, typing }) {
  const [outer, box] = KINDS[options.composer]();
  const plain = box.tagName === "TEXTAREA";
  const read = () => (plain ? box.value : linesOf(box).join("\n")).replaceAll("\u00a0", " ");
  const write = (text) => (plain ? (box.value = text) : (box.innerText = text));
  const attributes = { "data-testid": "messaging_compose_bar_send_button", "aria-label": label("send"), class: "send" };
  const button = make("button", { ...attributes, type: "button" }, "↑");
  const placeholder = make("span", { class: "placeholder", "aria-hidden": "true" }, plain ? "" : label("composer"));
  let typedAt = 0;

  const changed = () => {
    const blank = read().trim() === "";
    button.disabled = blank;
    placeholder.hidden = read() !== "";
  };
  const submit = () => {
    const text = read().replace(/\s+$/, "");
    if (text.trim() === "") return;
    write("");
    typedAt = 0;
    changed();
    send(text);
  };
  box.addEventListener("beforeinput", (event) => {
    if (page.faults.ignoreTyping) event.preventDefault();
  });
  box.addEventListener("input", () => {
    if (page.faults.garbleTyping) write([...read()].filter((_, index) => index % 2 === 0).join(""));
    changed();
    if (read() !== "" && Date.now() - typedAt > TYPING_TIMEOUT) {
      typedAt = Date.now();
      typing();
    }
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  button.addEventListener("click", submit);
  write(prefilled);
  changed();
  return make("div", { class: "composer" }, make("div", { class: "field" }, placeholder, outer), button);
}
