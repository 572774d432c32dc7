// Walls that stand over the page (field guide, section 4.4). A person takes them away by the button.

function element(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

const BUTTON = '<button type="button" data-sandbox="solve">Continue</button>';

const MODAL = (inside) => `
  <div class="shade" data-testid="modal-container">
    <div class="box" role="dialog" aria-modal="true" aria-labelledby="dls-modal__user-challenges-modal">
      <h1 id="dls-modal__user-challenges-modal">Let's confirm it's really you</h1>${inside}${BUTTON}
    </div>
  </div>`;

const PICTURES = {
  airlock_modal: MODAL(`
    <label for="aov_select_friction_email"><input type="radio" name="select_friction" id="aov_select_friction_email" checked> Email</label>
    <label for="aov_select_friction_sms"><input type="radio" name="select_friction" id="aov_select_friction_sms"> Text message</label>`),
  airlock_code: MODAL(`
    <p>Enter the code that we sent.</p>
    <input id="airlock-code-input-0" name="codeinput-0" autocomplete="one-time-code" inputmode="numeric">`),
  airlock_inline: `
    <div id="airlock-inline-container" class="shade"><div class="box"><h1>Please verify yourself</h1>${BUTTON}</div></div>`,
  captcha_arkose: `
    <div class="shade funcaptcha-modal" id="arkose-selector-id">
      <div class="box"><h1>Please solve this puzzle so we know you are a real person</h1>
        <iframe class="show active" data-e2e="enforcement-frame" title="Verification challenge" width="400" height="300"
          src="/frames/client-api.arkoselabs.com/enforcement"></iframe>${BUTTON}</div>
    </div>`,
  captcha_recaptcha: `
    <div class="shade"><div class="box" role="dialog" aria-modal="true"><h1>Verify that you're human</h1>
        <iframe title="reCAPTCHA" width="304" height="78" src="/recaptcha/api2/anchor?ar=1&size=normal"></iframe>
        <iframe title="recaptcha challenge" width="400" height="320" src="/recaptcha/api2/bframe?size=normal"></iframe>${BUTTON}</div>
    </div>`,
  captcha_geetest: `
    <div class="shade"><div class="box geetest_panel"><h1>Slide to complete the puzzle</h1>
        <div class="geetest_slider">⇥</div>${BUTTON}</div></div>`,
};

let shown = null;

/** How often a person has solved a wall on this page. */
export let timesSolved = 0;

/** Put a wall over the page; the same one only once. */
export function showWall(kind) {
  if (shown && shown.isConnected) return;
  // The real container exists without a challenge, too: use it rather than have two.
  if (kind === "airlock_inline") document.getElementById("airlock-inline-container")?.remove();
  shown = element(PICTURES[kind]);
  shown.querySelector('[data-sandbox="solve"]').addEventListener("click", solve);
  document.body.append(shown);
}

async function solve() {
  await fetch("/airlock/solve", { method: "POST", headers: { Accept: "application/json" } });
  timesSolved += 1;
  shown.remove();
  shown = null;
  window.dispatchEvent(new Event("focus"));
}
