// How the page learns that something changed (field guide, section 6). What exactly changed it asks for itself.

import { mutate, obey } from "./api.js";
import { options, page } from "./boot.js";

export function connect(changed) {
  if (!options.live) return;
  const source = new EventSource("/messaging/events");
  let before = false;
  source.onopen = () => {
    if (before) changed(null);
    else mutate("SyncProtocolSubscription", { connectionId: crypto.randomUUID() });
    before = true;
  };
  source.onmessage = (event) => {
    const news = JSON.parse(event.data);
    if (news.page) page.faults = news.page;
    if (news.message_thread_id) changed(news.message_thread_id);
    else obey(news);
  };
}
