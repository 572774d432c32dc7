// What the person does to the picture, as gestures: mouse, touch, keys, text. Nothing is kept once it is sent.

const NAMED = new Set([
  "Enter", "Tab", "Backspace", "Delete", "Escape", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End",
  "PageUp", "PageDown",
]);
const WITH_CONTROL = new Set(["a", "c", "x", "z"]);
// A phone's keyboard tells of its backspace only if there is something to take away.
const FILLER = "\u200b".repeat(2);

/** Sends gestures in their order, one call at a time; mouse moves that nobody has seen yet are left out. */
export function sender(post) {
  const waiting = [];
  let busy = false;

  async function send() {
    if (busy) return;
    busy = true;
    while (waiting.length) {
      try {
        await post(waiting.splice(0, 100));
      } catch {
        waiting.length = 0; // a click that comes late may hit something else
      }
    }
    busy = false;
  }

  return (gesture) => {
    const last = waiting.at(-1);
    if (last && last.type === gesture.type && last.kind === "move" && gesture.kind === "move") waiting.pop();
    waiting.push(gesture);
    send();
  };
}

const within = (value) => Math.min(1, Math.max(0, value));

export function watchPointer(canvas, give, isDragging, onPress) {
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: within((event.clientX - box.left) / box.width), y: within((event.clientY - box.top) / box.height) };
  };
  let finger = null;
  const asMouse = (event) => event.pointerType !== "touch" || isDragging();

  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    if (event.pointerType === "touch" && finger !== null) return;
    if (event.pointerType === "touch") finger = event.pointerId;
    canvas.setPointerCapture(event.pointerId);
    onPress(event.pointerType);
    give(asMouse(event) ? { type: "mouse", kind: "down", ...at(event) } : { type: "touch", kind: "start", ...at(event) });
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" && event.pointerId !== finger) return;
    give({ type: asMouse(event) ? "mouse" : "touch", kind: "move", ...at(event) });
  });
  const up = (event) => {
    if (event.pointerType === "touch" && event.pointerId !== finger) return;
    finger = null;
    give(asMouse(event) ? { type: "mouse", kind: "up", ...at(event) } : { type: "touch", kind: "end", ...at(event) });
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    const far = (delta) => Math.min(5000, Math.max(-5000, delta * unit));
    give({ type: "mouse", kind: "wheel", ...at(event), dx: far(event.deltaX), dy: far(event.deltaY) });
  }, { passive: false });
}

export function watchTyping(field, canvas, give) {
  let sent = "";
  const empty = () => { field.value = sent = document.activeElement === field ? FILLER : ""; };
  field.addEventListener("focus", empty);
  field.addEventListener("blur", empty);

  const key = (event) => {
    const control = event.ctrlKey || event.metaKey;
    if (control && WITH_CONTROL.has(event.key.toLowerCase())) {
      give({ type: "key", name: event.key.toLowerCase(), control: true });
    } else if (NAMED.has(event.key) && !event.isComposing && !control && !event.altKey) {
      give({ type: "key", name: event.key, shift: event.shiftKey });
      empty();
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  };

  field.addEventListener("keydown", key);
  field.addEventListener("input", (event) => {
    const now = field.value;
    let same = 0;
    while (same < now.length && same < sent.length && now[same] === sent[same]) same += 1;
    for (let gone = sent.length - same; gone > 0; gone -= 1) give({ type: "key", name: "Backspace" });
    const text = now.slice(same).replaceAll("\u200b", "");
    if (text) give({ type: "text", text: text.slice(0, 2000) });
    sent = now;
    if (!event.isComposing) empty();
  });
  field.addEventListener("paste", (event) => {
    event.preventDefault();
    const text = event.clipboardData.getData("text");
    if (text) give({ type: "text", text: text.slice(0, 2000), pasted: true });
  });

  // Who has a keyboard need not look for the field.
  canvas.addEventListener("keydown", (event) => {
    if (key(event)) return;
    if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      give({ type: "text", text: event.key });
    }
  });
}
