"""A local server that speaks `/v1/embeddings`, counts every text that it answers, and misbehaves when told."""

import base64
import hashlib
import json
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

WIDTH = 16


def vector(text, width=WIDTH):
    """Of words, so that texts which share them are near: each word a fixed random direction."""
    seeds = [int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") for word in text.split()]
    return np.mean([np.random.default_rng(seed).normal(size=width) for seed in seeds], axis=0).astype(np.float32)


class Server(ThreadingHTTPServer):
    """Attributes:
    paid: how often each text was answered with a vector.
    requests: bodies and headers that came.
    troubles: what to do instead of answering, one for each request: a status, (status, headers, body), or "drop".
    key: the only one accepted, where there is one.
    longest: words of a text at most.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.paid, self.requests, self.troubles = Counter(), [], []
        self.key, self.longest, self.answer_floats, self.refuses = None, None, False, lambda body: None
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.requests.append((body, dict(self.headers)))
            trouble = server.troubles.pop(0) if server.troubles else None
            server.now += 1
            server.most = max(server.most, server.now)
        try:
            self.respond(body, trouble or server.refuses(body) or self.fault(body))
        finally:
            with server.lock:
                server.now -= 1

    def fault(self, body):
        """What is wrong with a request."""
        if self.server.key and self.headers.get("Authorization") != f"Bearer {self.server.key}":
            return 401, {}, {"error": {"message": f"Incorrect key: {self.headers.get('Authorization')}"}}
        if self.path != "/v1/embeddings" or body["model"] == "none":
            return 404, {}, {"error": {"message": "The model does not exist"}}
        long = self.server.longest and any(len(text.split()) > self.server.longest for text in body["input"])
        return (400, {}, {"error": {"message": "too many tokens"}}) if long else None

    def respond(self, body, trouble):
        if trouble == "drop":
            self.close_connection = True
            return
        if trouble is not None:
            self.send(*(trouble if isinstance(trouble, tuple) else (trouble, {}, {"error": {"message": "trouble"}})))
            return
        with self.server.lock:
            self.server.paid.update(body["input"])
        width = body.get("dimensions", WIDTH)
        packed = body.get("encoding_format") == "base64" and not self.server.answer_floats
        data = [
            {"index": i, "embedding": packed_vector(text, width) if packed else vector(text, width).tolist()}
            for i, text in enumerate(body["input"])
        ]
        self.send(200, {}, {"data": data[::-1], "model": body["model"], "usage": {"total_tokens": 1}})

    def send(self, status, headers, told):
        raw = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(raw), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args):
        """Say nothing."""


def packed_vector(text, width):
    return base64.b64encode(vector(text, width).astype("<f4").tobytes()).decode()


@contextmanager
def serving():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
