"""A real HTTP server on loopback that truncates, stalls, corrupts and refuses as it is told."""

from __future__ import annotations

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from selfcell.data.fetch import Patience

BODY = bytes(range(256)) * 4096  # 1 MiB
SHA = hashlib.sha256(BODY).hexdigest()
QUICK = Patience(stall_s=0.4, tries=3, backoff_s=0.01, lock_s=10)


class Server:
    """An HTTP server whose answers follow a script: one word a request, then `good` for ever."""

    def __init__(self) -> None:
        self.script: list[str] = []
        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        self.body = BODY
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/x.bin"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        word = self.script.pop(0) if self.script else "good"
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        self.paths.append(request.path)
        if word.isdigit():
            request.send_error(int(word))
            return
        start = int(asked[6:-1]) if asked and word != "norange" else 0
        body = self.body[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if word == "altered":
            body = b"!" + body[1:]
        if word in ("truncated", "stall"):
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            if word == "stall":
                time.sleep(1.0)
            request.close_connection = True
            return
        if word == "slow":
            time.sleep(1.0)  # others start meanwhile
        request.wfile.write(body)
