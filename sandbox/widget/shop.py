"""The page of an imaginary shop: strict about what may run on it, and careless with its style sheet."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bluebell Ceramics</title><link rel="stylesheet" href="/shop.css">
<script async src="{api}/widget.js" data-site="{site}" data-lang="{language}"></script></head>
<body><header><h1>Bluebell Ceramics</h1></header>
<main><h2>Cup no. 4</h2><p>Stoneware, 250 ml, glazed in blue. Made by hand.</p>
<form><label for="amount">How many</label> <input id="amount" name="amount" value="1"></form></main></body></html>"""

_STYLE = """
* { font-family: Georgia, serif !important; letter-spacing: .02em; }
body { margin: 0; background: #fdfaf4; color: #26323a; line-height: 1.6; }
header { background: #d9e4ec; padding: 24px 32px; } main { padding: 24px 32px; max-width: 40rem; }
div { position: relative; } button, textarea, form { text-transform: uppercase; }
@media (prefers-color-scheme: dark) { body { background: #14181b; color: #dde3e8; } header { background: #243038; } }
"""


@contextmanager
def open_shop(api: str, site: str, language: str = "auto") -> Iterator[str]:
    """The shop's address while it is open. ``api``: where the chat's script comes from, another origin."""
    page = _PAGE.format(api=api, site=site, language=language).encode()
    policy = (
        f"default-src 'none'; script-src {api}; connect-src {api}; style-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_style = self.path == "/shop.css"
            body = _STYLE.encode() if is_style else page
            self.send_response(200)
            self.send_header("content-type", "text/css" if is_style else "text/html; charset=utf-8")
            self.send_header("content-security-policy", policy)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
