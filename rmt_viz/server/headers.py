"""HTTP headers of every response: no content from other sites, and no other site may show the app in a frame."""

POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:",  # Streamlit runs components from inline modules
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' ws: wss: data: blob:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
HEADERS = {
    b"content-security-policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()).encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
}


class SafeHeaders:
    """ASGI middleware that adds HEADERS to each response; a header that the response sets itself stays."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def sent(message):
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message.get("headers", [])}
                new = [(name, value) for name, value in HEADERS.items() if name not in there]
                message = {**message, "headers": [*message.get("headers", []), *new]}
            await send(message)

        await self.app(scope, receive, sent if scope["type"] == "http" else send)
