"""A small stand-in of S3 on the loopback device: objects in memory, pages of lists, conditions, and signatures that are checked."""
import hashlib, hmac, http.server, threading, urllib.parse

ACCESS, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-test-1"


def signature(method, path, query, headers, names):
    """The signature (AWS Signature Version 4) that a request should have, as Amazon's documentation describes it."""
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    encoded = "&".join(f"{urllib.parse.quote(k, safe='-._~')}={urllib.parse.quote(v, safe='-._~')}" for k, v in pairs)
    canonical = "\n".join([
        method, urllib.parse.quote(urllib.parse.unquote(path), safe="/-._~"), encoded,
        "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names), ";".join(names), headers["x-amz-content-sha256"]])
    time = headers["x-amz-date"]
    scope = f"{time[:8]}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/"): key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Bucket:
    """A server with one bucket, `memories`. `fail` answers that many requests with 503; `page` names are in a list at most."""

    def __init__(self, page=2):
        self.objects, self.page, self.fail, self.requests = {}, page, 0, []

    def __enter__(self):
        bucket = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_): pass

            def reply(self, status, body=b"", headers=()):
                self.send_response(status)
                for name, value in headers: self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def error(self, status, code): self.reply(status, f"<Error><Code>{code}</Code></Error>".encode())

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path, _, query = self.path.partition("?")
                bucket.requests.append((self.command, path))
                headers = {name.lower(): value for name, value in self.headers.items()}
                given = headers.get("authorization", "")
                names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
                if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names) or f"Credential={ACCESS}/" not in given:
                    return self.error(403, "AccessDenied")
                if headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest(): return self.error(400, "XAmzContentSHA256Mismatch")
                if not given.endswith("Signature=" + signature(self.command, path, query, headers, names)):
                    return self.error(403, "SignatureDoesNotMatch")
                if bucket.fail > 0:
                    bucket.fail -= 1
                    return self.error(503, "SlowDown")
                parts = urllib.parse.unquote(path).lstrip("/").split("/", 1)
                if parts[0] != "memories": return self.error(404, "NoSuchBucket")
                if len(parts) == 1 or not parts[1]: return self.list(dict(urllib.parse.parse_qsl(query)))
                self.object(parts[1], body, headers)

            def list(self, query):
                found = sorted(name for name in bucket.objects if name.startswith(query.get("prefix", "")) and name > query.get("continuation-token", ""))
                page, more = found[:bucket.page], found[bucket.page:]
                self.reply(200, ("<ListBucketResult>" + "".join(f"<Contents><Key>{name}</Key></Contents>" for name in page)
                           + (f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else "") + "</ListBucketResult>").encode())

            def object(self, name, body, headers):
                held = bucket.objects.get(name)
                tag = lambda data: '"' + hashlib.md5(data).hexdigest() + '"'
                if self.command == "PUT":
                    if headers.get("if-none-match") == "*" and held is not None: return self.error(412, "PreconditionFailed")
                    if "if-match" in headers and (held is None or headers["if-match"] != tag(held)): return self.error(412, "PreconditionFailed")
                    bucket.objects[name] = body
                    self.reply(200, headers=[("ETag", tag(body))])
                elif self.command == "DELETE":
                    bucket.objects.pop(name, None)
                    self.reply(204)
                elif held is None: self.error(404, "NoSuchKey")
                else: self.reply(200, held, [("ETag", tag(held))])

            do_GET = do_PUT = do_DELETE = handle_any

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.environment = {
            "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_port}"}
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
