# SPDX-License-Identifier: Apache-2.0
"""A sheet as a browser prints it. The browser cannot sign in, so a small proxy in front of the server does; the page, its policy and
its images are the server's own."""
import http.client
import http.server
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-pdf-header-footer"]


class Printed:
    """pages, width and height in points, text by page, and what the browser asked for: {path: status}."""

    def __init__(self, file, asked):
        said = subprocess.run(["pdfinfo", file], check=True, capture_output=True, text=True).stdout
        self.pages = int(re.search(r"Pages: +(\d+)", said)[1])
        self.size = tuple(map(float, re.search(r"Page size: +([\d.]+) x ([\d.]+)", said).groups()))
        self.text = subprocess.run(["pdftotext", "-layout", file, "-"], check=True, capture_output=True, text=True).stdout.split("\f")[:self.pages]
        images = subprocess.run(["pdfimages", "-list", file], check=True, capture_output=True, text=True).stdout
        self.images = max(len(images.splitlines()) - 2, 0)
        self.asked = asked

    def is_a4(self):
        return abs(self.size[0] - 595.3) < 1 and abs(self.size[1] - 841.9) < 1


def _proxy(client, asked):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            upstream = http.client.HTTPConnection(client.server.address, timeout=60)
            upstream.request("GET", self.path, headers={"Authorization": f"Bearer {client.token}"})
            answer = upstream.getresponse()
            body = answer.read()
            asked[self.path] = answer.status
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "content-length", "date"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            upstream.close()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def printed(client, path, keep=None):
    """The page under the API, printed. keep: a file to leave the PDF in."""
    if not shutil.which("chromium") or not shutil.which("pdfinfo"):
        pytest.skip("needs chromium and poppler-utils: scripts/test installs them")
    asked = {}
    proxy = _proxy(client, asked)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "sheet.pdf")
        try:
            subprocess.run([*CHROMIUM, f"--user-data-dir={folder}/profile", f"--print-to-pdf={file}",
                            f"http://127.0.0.1:{proxy.server_port}/api/v1{path}"], check=True, capture_output=True, timeout=120)
        finally:
            proxy.shutdown()
            proxy.server_close()
        if keep:
            shutil.copy(file, keep)
        return Printed(file, asked)
