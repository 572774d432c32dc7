"""Every string that names a thing on the page, with the section of the field guide and its confidence.

Facts as of November 2026. Order of preference: test id, language-free role, stable attribute. No text in one
language, no generated class names, no positions. When the page changes, this is the file to look at first.
"""

from __future__ import annotations

INBOX_PATH = "/hosting/messages"  # 1 · first-party + 10 sources

# The list of conversations (3.1)
LIST_MARKER = '[data-testid="inbox-container-marker"]'  # real + 3
LIST_ROOT = "#list_inbox"  # real + 3
LIST = f"{LIST_ROOT}, {LIST_MARKER}"
ROW_PREFIX = "inbox_list_"  # real + 9; the number of the conversation follows
ROWS = f'a[data-testid^="{ROW_PREFIX}"]'
ROW_FRAME = '[data-listrow="true"]'  # real; carries aria-current
# From a row to the buttons behind all rows (1 synthetic source: one that loads more). The panel: 3 sources.
BUTTONS_BEHIND_ROW = (
    'xpath=following::button[not(ancestor::*[@data-listrow="true"])]'
    '[ancestor::*[@id="inbox_panel" or @data-testid="orbital-panel-inbox"]]'
)


def row(number: int) -> str:
    """The clickable row of one conversation (3.1, real + 9)."""
    return f'a[data-testid="{ROW_PREFIX}{number}"]'


# One conversation (3.2)
THREAD_PANEL = '[data-testid="orbital-panel-thread"], #thread_panel'  # 3
MESSAGE_LIST = '[data-testid="message-list"]'  # real + 5
ITEMS = f"{MESSAGE_LIST} [data-item-id]"  # real + 2
START_ITEM_ID = "-1"  # "Start of Conversation", to be skipped (real)

# The composer (3.4)
COMPOSER = '[data-testid="messaging-composebar"]'  # 5 sources
OLD_COMPOSER = "textarea#message_input"  # 2023 to 2025, 2 sources
EDITABLE = 'textarea, [role="textbox"], [contenteditable]:not([contenteditable="false"])'
SEND_BUTTON = 'button[data-testid="messaging_compose_bar_send_button"]'  # 5 sources

# The reservation panel (3.5), each 1 source; nothing of it is needed
PANEL = '[data-testid="hosting-details-reservation-info-section"]'
PANEL_HEADER = '[data-testid="hrd-sbui-header-section"]'  # in it h3 = guest, the next element = listing
PANEL_TITLE = '[data-testid="reservation-dynamic-marquee-title-header-v3"]'
PANEL_GUESTS = '[data-testid="hosting-details-whos-coming"]'
PANEL_CODE = "#hosting-details-reservation-info-row-confirmation-code-row-title"
PANEL_LISTING = 'a[href*="/rooms/"]'  # 2

# What may lie over the page without being a wall (3.6)
COOKIE_BANNER = '[data-testid="main-cookies-banner-container"]'  # first-party + 2
MODAL = '[data-testid="modal-container"], [role="dialog"]'  # first-party + 2

# Walls (4.4). Visible ones only; a comment says what else must hold.
WALL_CHALLENGE = (
    '[role="dialog"][aria-labelledby*="user-challenges"]',
    '[aria-labelledby*="user-challenges"]',
    'input[name="select_friction"]',
    'label[for*="aov_select_friction"]',
    'input[name^="codeinput"]',
    'input[id*="airlock-code-input"]',
    "#otp-code-input",
    'input[autocomplete="one-time-code"]',
    "#phone-verification-code-form__code-input",
    'iframe[data-e2e="enforcement-frame"]',
    "#fc-iframe-wrap",
    'iframe[id*="game-core-frame"]',
    "#arkose-selector-id",
    '.funcaptcha-modal:not([class*="hidden"])',
    "iframe.funcaptcha-frame",
    'iframe[src*="arkoselabs.com"]',
    'iframe[src*="funcaptcha"]',
    'iframe[src*="recaptcha/api2/anchor"]:not([src*="size=invisible"])',
    'form[data-testid="auth-form"] #g-recaptcha.show-inline-block',
    '[class*="geetest"]',
)
WALL_CHALLENGE_NON_EMPTY = ("#airlock-inline-container",)  # exists without a challenge: must have content
WALL_CHALLENGE_ON_SCREEN = ('iframe[src*="recaptcha/api2/bframe"]',)  # idle off-screen: y >= 0 and > 100 px
WALL_LOGIN = (
    "#phone-or-email",
    'input[type="password"]',
    '[data-testid="auth-form"]',
    '[data-testid="login-pane"]',
    '[data-testid="signup-login-submit-btn"]',
    '[data-testid^="social-auth-button"]',
    '[data-testid="cypress-headernav-login"]',
)
# 4.3: path segments at the front of the address. A query that contains them means nothing.
WALL_PATHS_CHALLENGE = (
    "/airlock",
    "/verify",
    "/two-factor",
    "/challenge",
    "/account-fov",
    "/account-activation",
)
WALL_PATHS_LOGIN = (
    "/login",
    "/login_with_redirect",
    "/signup_login",
    "/signup",
    "/authenticate",
    "/forgot_password",
)
WALL_TITLES = ("Access Denied",)  # Akamai's block page, 1 raw body
# 4.4, English only and therefore only a hint when the inbox is *not* there; never searched in a conversation.
WALL_TEXTS = (
    "please verify yourself",
    "verify that you're human",
    "verify you are human",
    "select all images",
    "let's confirm it's really you",
    "max confirmation attempts",
)
WALL_BLOCK_TEXTS = (
    "access denied",
    "ip address blocked",
    "limits how often you can login",
)  # 4.2, 1 source each
