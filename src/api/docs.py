"""``/docs``: the OpenAPI document as a page, without anything from elsewhere and without a script."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.responses import HTMLResponse

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1{font-size:1.5rem} h2{font-size:1.1rem;margin-top:2rem;border-top:1px solid #ccc;padding-top:1rem}
code,b{font-family:ui-monospace,monospace;font-size:.9rem}
b{padding:.1rem .4rem;background:#e8eef7;border-radius:3px}
table{border-collapse:collapse} td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}
p{margin:.4rem 0} .type{color:#666}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818} b{background:#2a3442} .type{color:#999}}
"""


class Refusal(BaseModel):
    """Every answer that is not a success."""

    success: bool = False
    error: str
    field: str | None = None
    reason: str | None = None
    state: str | None = None


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refusal, "description": "not let in"},
    404: {"model": Refusal, "description": "there is nothing with this id"},
    408: {"model": Refusal, "description": "the body came too slowly"},
    409: {"model": Refusal, "description": "it does not fit the state of things: see reason, state"},
    413: {"model": Refusal, "description": "the body is larger than 64 KiB"},
    422: {"model": Refusal, "description": "it cannot be used: see field"},
    429: {"model": Refusal, "description": "too many wrong keys came from this address; see Retry-After"},
    503: {"model": Refusal, "description": "the database is out of reach; try again"},
}


def described(body: type[BaseModel], *, optional: bool = False) -> dict[str, Any]:
    """``openapi_extra`` for an endpoint that reads its body itself, after the caller was let in."""
    schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": not optional, "content": {"application/json": {"schema": schema}}}}


def add_docs(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        return HTMLResponse(_page(app.openapi()), headers={"content-security-policy": policy})


def _page(openapi: dict[str, Any]) -> str:
    info = openapi["info"]
    schemas = openapi.get("components", {}).get("schemas", {})
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])}</title>",
        "<meta name=viewport content='width=device-width'>",
        f"<style>{_STYLE}</style><h1>{escape(info['title'])}</h1><p>{escape(info.get('description', ''))}</p>",
        "<p>The same for programs: <a href=openapi.json>openapi.json</a></p>",
    ]
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            parts.append(_operation(path, method, operation, schemas))
    return "".join(parts)


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    rows = [
        _row(parameter["name"], f"{parameter['in']}, {_type(parameter['schema'])}", parameter)
        for parameter in operation.get("parameters", [])
    ]
    content = operation.get("requestBody", {}).get("content", {})
    for media in content.values():
        schema = _resolved(media["schema"], schemas)
        for name, field in schema.get("properties", {}).items():
            needed = ", required" if name in schema.get("required", []) else ""
            rows.append(_row(name, f"body, {_type(field)}{needed}", field))
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    statuses = ", ".join(operation.get("responses", {}))
    return (
        f"<h2><b>{method.upper()}</b> <code>{escape(path)}</code></h2>"
        f"<p>{escape(operation.get('summary', ''))}</p>"
        f"<p>{escape(operation.get('description', ''))}</p>{table}<p class=type>answers: {escape(statuses)}</p>"
    )


def _row(name: str, kind: str, described_by: dict[str, Any]) -> str:
    about = escape(described_by.get("description", ""))
    return f"<tr><td><code>{escape(name)}</code><td class=type>{escape(kind)}<td>{about}"


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schemas.get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
    return found


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_type(one) for one in schema["anyOf"])
    return str(schema.get("const") or schema.get("type") or schema.get("$ref", "").rpartition("/")[2])
