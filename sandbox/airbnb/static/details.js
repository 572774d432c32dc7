// The reservation panel (field guide, section 3.5).

import { query } from "./api.js";
import { globalId, label, make } from "./boot.js";

export async function showDetails(panel, number) {
  const data = await query("StayHostingDetailsQuery", { globalThreadId: globalId("MessageThread", number) });
  const stay = data?.stayHostingDetails;
  if (!stay) return;
  const head = make("div", { "data-testid": "hrd-sbui-header-section" }, make("h3", {}, stay.guestName ?? ""));
  head.append(make("div", {}, stay.listingName ?? ""));
  const link = make("a", { href: `/rooms/${stay.listingId}`, target: "_blank", rel: "noopener" }, label("show_listing"));
  const facts = make("dl", {}, make("dt", {}, stay.status), make("dd", {}, stay.dates));
  const coming = make("button", { "data-testid": "hosting-details-whos-coming" }, label("whos_coming"));
  facts.append(make("dt", {}, coming), make("dd", {}, label("guests", { n: stay.guests })));
  if (stay.confirmationCode) {
    const id = "hosting-details-reservation-info-row-confirmation-code-row-title";
    facts.append(make("dt", { id }, label("code")), make("dd", {}, stay.confirmationCode));
  }
  const section = make("div", { "data-testid": "hosting-details-reservation-info-section" }, head, facts, link);
  panel.replaceChildren(make("div", { class: "toolbar" }, make("h2", {}, label("reservation"))), section);
}
