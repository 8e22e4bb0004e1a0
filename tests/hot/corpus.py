"""Requests that both paths must answer alike: good ones, bad ones, and attempts at smuggling."""

from __future__ import annotations

import gzip

from tests.hot.requests import BODY, GET, HOST, PREDICT, chunked, post, request

_LENGTH = b"Content-Length: %d" % len(BODY)
_LINE = b"POST %b HTTP/1.1" % PREDICT


def _with(*lines: bytes, body: bytes = BODY) -> bytes:
    return request(_LINE, *lines, body=body)


def _json(text: str) -> bytes:
    return post(text.encode())


_FLOATS = b"\0\0\x80\x3f\0\0\0\x40"
"""1 and 2."""
_OCTETS = b"Content-Type: application/octet-stream"


def _binary(
    body: bytes, dtype: bytes, shape: bytes, *fields: bytes, path: bytes = PREDICT
) -> bytes:
    described = (_OCTETS, b"X-Tensor-Dtype: " + dtype, b"X-Tensor-Shape: " + shape)
    return post(body, *described, *fields, path=path)


PLAIN = {
    "plain": post(),
    "named version": post(path=b"/v1/models/m/versions/1:predict"),
    "version with zeros": post(path=b"/v1/models/m/versions/0001:predict"),
    "percent-encoded name": post(path=b"/v1/models/%6d:predict"),
    "column form": _json('{"inputs":{"x":[1,2]}}'),
    "bare column": _json('{"inputs":[1,2]}'),
    "named signature": _json('{"signature_name":"serving_default","instances":[1]}'),
    "spaces in JSON": _json(' {  "instances" : [ 1 , 2 ] } '),
    "NaN": _json('{"instances":[NaN, Infinity]}'),
    "rows of lists": _json('{"instances":[[1,2],[3,4]]}'),
    "keep-alive": post(BODY, b"Connection: keep-alive"),
    "close": post(BODY, b"Connection: close"),
    "Close in capitals": post(BODY, b"Connection: CLOSE"),
    "asks for timing": post(BODY, b"Server-Timing: 1"),
    "asks for timing, in other letters": post(BODY, b"x-server-TIMING: yes"),
    "asks for no timing": post(BODY, b"X-Server-Timing: 0"),
    "spaces around values": post(BODY, b"Accept:   */*  ", b"User-Agent:x"),
    "empty value": post(BODY, b"X:"),
    "40 fields": post(BODY, *(b"X-%d: y" % number for number in range(38))),
    "a long field": post(BODY, b"Authorization: " + b"t" * 4000),
    "empty body": post(b""),
    "no JSON": _json("{"),
    "no object": _json("[1]"),
    "neither key": _json("{}"),
    "both keys": _json('{"instances":[1],"inputs":[1]}'),
    "a key twice": _json('{"instances":[1],"instances":[2]}'),
    "no instances": _json('{"instances":[]}'),
    "a string": _json('{"instances":["text"]}'),
    "a bool": _json('{"instances":[true]}'),
    "null": _json('{"instances":[null]}'),
    "ragged": _json('{"instances":[[1,2],[3]]}'),
    "wrong alias": _json('{"instances":[{"z":1}]}'),
    "no UTF-8": post(b'{"instances":["\xff\xfe"]}'),
    "lone surrogate": _json('{"signature_name":"\\ud800","instances":[1]}'),
    "no such signature": _json('{"signature_name":"none","instances":[1]}'),
    "signature is a number": _json('{"signature_name":1,"instances":[1]}'),
    "no such model": post(path=b"/v1/models/none:predict"),
    "no such version": post(path=b"/v1/models/m/versions/9:predict"),
    "no such label": post(path=b"/v1/models/m/labels/none:predict"),
    "the model refuses": _json('{"instances":[-1]}'),
    "the model breaks": post(path=b"/v1/models/broken:predict"),
    "no JSON can carry it": post(path=b"/v1/models/odd:predict"),
    "JSON that says it is bytes": post(BODY, b"Content-Type: Application/Octet-Stream; x=y"),
    "binary in": _binary(_FLOATS, b"float32", b"2"),
    "binary out": post(BODY, b"Accept: application/json;q=0.5, application/octet-stream"),
    "binary both ways": _binary(_FLOATS, b"float32", b"2", b"Accept: application/octet-stream"),
    "binary refused": post(BODY, b"Accept: application/octet-stream;q=0"),
    "binary with a name": _binary(_FLOATS, b"float32", b"2", b"x-tensor-NAME: x"),
    "binary of another name": _binary(_FLOATS, b"float32", b"2", b"X-Tensor-Name: z"),
    "binary of another dtype": _binary(_FLOATS, b"float64", b"1"),
    "binary without a shape": post(_FLOATS, _OCTETS, b"X-Tensor-Dtype: float32"),
    "binary that is too short": _binary(_FLOATS, b"float32", b"3"),
    "binary of no such signature": _binary(_FLOATS, b"float32", b"2", b"X-Signature-Name: none"),
    "large binary": _binary(b"\0" * 400_000, b"float32", b"100000"),
    "binary that the model breaks": _binary(
        _FLOATS, b"float32", b"2", path=b"/v1/models/broken:predict"
    ),
    "no binary can carry it": post(
        BODY, b"Accept: application/octet-stream", path=b"/v1/models/odd:predict"
    ),
    "large answer": _json(f'{{"instances":[{",".join("1" * 20_000)}]}}'),
}
"""What the hot path answers itself."""

OTHERS = {
    "status": GET,
    "metadata": request(b"GET /v1/models/m/metadata HTTP/1.1", HOST),
    "unknown page": request(b"GET /nothing HTTP/1.1", HOST),
    "preflight": request(b"OPTIONS %b HTTP/1.1" % PREDICT, HOST, b"Origin: http://x"),
    "GET on predict": request(b"GET %b HTTP/1.1" % PREDICT, HOST),
    "classify": post(path=b"/v1/models/m:classify"),
    "no such verb": post(path=b"/v1/models/m:guess"),
    "query": post(path=PREDICT + b"?x=1"),
    "fragment": post(path=PREDICT + b"#x"),
    "empty name": post(path=b"/v1/models/:predict"),
    "huge version": post(path=b"/v1/models/m/versions/99999999999999999999:predict"),
    "path in capitals": post(path=b"/V1/MODELS/m:predict"),
    "absolute form": post(path=b"http://localhost" + PREDICT),
    "absolute form, other scheme": post(path=b"ftp://localhost" + PREDICT),
    "asterisk": post(path=b"*"),
    "UTF-8 in the path": post(path="/v1/models/é:predict".encode()),
    "no UTF-8 in the path": post(path=b"/v1/models/\xff:predict"),
    "long path": post(path=b"/v1/models/" + b"m" * 9000 + b":predict"),
    "chunked": chunked(BODY),
    "two chunks": chunked(BODY[:5], BODY[5:]),
    "gzip": post(gzip.compress(BODY, mtime=0), b"Content-Encoding: gzip"),
    "broken gzip": post(BODY, b"Content-Encoding: gzip"),
    "identity": post(BODY, b"Content-Encoding: identity"),
    "unknown encoding": post(BODY, b"Content-Encoding: br"),
    "large body": _json(f'{{"instances":[{",".join(["1.25"] * 20_000)}]}}'),
    "upgrade to something": post(BODY, b"Connection: upgrade", b"Upgrade: h2c"),
    "connection: nonsense": post(BODY, b"Connection: nonsense"),
    "connection: keep-alive, close": post(BODY, b"Connection: keep-alive, close"),
    "connection twice": post(BODY, b"Connection: keep-alive", b"Connection: close"),
    "TE": post(BODY, b"TE: trailers"),
    "trailer": post(BODY, b"Trailer: X"),
    "old proxies' connection": post(BODY, b"Proxy-Connection: close"),
    "old websocket": post(BODY, b"Sec-WebSocket-Key1: x"),
    "two users": post(BODY, b"User-Agent: a", b"User-Agent: b"),
    "two types": post(BODY, b"Content-Type: a", b"Content-Type: b"),
    "two cookies": post(BODY, b"Cookie: a=b", b"Cookie: c=d"),
    "HTTP/1.0": request(b"POST %b HTTP/1.0" % PREDICT, _LENGTH, body=BODY),
    "HTTP/1.0, keep-alive": request(
        b"POST %b HTTP/1.0" % PREDICT, b"Connection: keep-alive", _LENGTH, body=BODY
    ),
    "a line end before": b"\r\n" + post(),
    "no length": _with(HOST, body=b""),
    "zeros before the length": _with(HOST, b"Content-Length: 0%d" % len(BODY)),
    "spaces around the length": _with(HOST, b"Content-Length:   %d  " % len(BODY)),
    "tab in a value": post(BODY, b"X: a\tb"),
    "latin-1 in a value": post(BODY, b"X: \xe9"),
    "empty value of Expect": post(BODY, b"Expect:"),
    "empty host": _with(b"Host:", _LENGTH),
    "127 fields": post(BODY, *(b"X-%d: y" % number for number in range(125))),
    "a long field, still allowed": post(BODY, b"X: " + b"x" * 8100),
}
"""What aiohttp answers, and how: with the right status, whatever that is."""

MALFORMED = {
    "length and chunked": _with(HOST, _LENGTH, b"Transfer-Encoding: chunked"),
    "chunked and length": _with(HOST, b"Transfer-Encoding: chunked", _LENGTH),
    "chunked, in other words": _with(HOST, _LENGTH, b"Transfer-Encoding: xchunked"),
    "transfer encoding behind a space": _with(HOST, _LENGTH, b"Transfer-Encoding : chunked"),
    "transfer encoding of nothing": _with(HOST, b"Transfer-Encoding:", _LENGTH),
    "transfer encoding identity": _with(HOST, _LENGTH, b"Transfer-Encoding: identity"),
    "two lengths": _with(HOST, _LENGTH, b"Content-Length: 3"),
    "the same length twice": _with(HOST, _LENGTH, _LENGTH),
    "two lengths in one": _with(HOST, b"Content-Length: 19, 19"),
    "plus": _with(HOST, b"Content-Length: +19"),
    "minus": _with(HOST, b"Content-Length: -19"),
    "hexadecimal": _with(HOST, b"Content-Length: 0x13"),
    "underscore": _with(HOST, b"Content-Length: 1_9"),
    "point": _with(HOST, b"Content-Length: 19.0"),
    "other digits": _with(HOST, "Content-Length: ١٩".encode()),
    "words": _with(HOST, b"Content-Length: many"),
    "length of nothing": _with(HOST, b"Content-Length:"),
    "length beyond 64 bits": _with(HOST, b"Content-Length: 99999999999999999999999"),
    "length behind a space": _with(HOST, b"Content-Length : 19"),
    "bare line feeds": post().replace(b"\r\n", b"\n"),
    "one bare line feed": _with(HOST + b"\nX: y", _LENGTH),
    "bare carriage return": _with(HOST + b"\rX: y", _LENGTH),
    "folded line": _with(HOST, b"X: a\r\n b", _LENGTH),
    "space before a name": _with(HOST, b" X: a", _LENGTH),
    "no colon": _with(HOST, b"X", _LENGTH),
    "no name": _with(HOST, b": x", _LENGTH),
    "NUL in a value": post(BODY, b"X: a\0b"),
    "NUL in a name": post(BODY, b"X\0: a"),
    "NUL in the path": post(path=b"/v1/models/\0:predict"),
    "control character in a value": post(BODY, b"X: a\x01b"),
    "delete in a value": post(BODY, b"X: a\x7fb"),
    "braces in a name": post(BODY, b"{X}: a"),
    "no host": _with(_LENGTH),
    "two hosts": _with(HOST, _LENGTH, b"Host: other"),
    "the same host twice": _with(HOST, HOST, _LENGTH),
    "9 kB field": post(BODY, b"X: " + b"x" * 9000),
    "20 kB field": post(BODY, b"X: " + b"x" * 20_000),
    "200 fields": post(BODY, *(b"X-%d: y" % number for number in range(200))),
    "space in the path": post(path=b"/v1/models/m m:predict"),
    "tab in the request line": request(b"POST\t%b HTTP/1.1" % PREDICT, HOST, _LENGTH, body=BODY),
    "two spaces": request(b"POST  %b HTTP/1.1" % PREDICT, HOST, _LENGTH, body=BODY),
    "space at the end": request(b"POST %b HTTP/1.1 " % PREDICT, HOST, _LENGTH, body=BODY),
    "HTTP/0.9": request(b"POST %b" % PREDICT),
    "HTTP/1.2": request(b"POST %b HTTP/1.2" % PREDICT, HOST, _LENGTH, body=BODY),
    "HTTP/2.0": request(b"POST %b HTTP/2.0" % PREDICT, HOST, _LENGTH, body=BODY),
    "HTTP/1.1.1": request(b"POST %b HTTP/1.1.1" % PREDICT, HOST, _LENGTH, body=BODY),
    "http/1.1": request(b"POST %b http/1.1" % PREDICT, HOST, _LENGTH, body=BODY),
    "HTTP/2 itself": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "post": request(b"post %b HTTP/1.1" % PREDICT, HOST, _LENGTH, body=BODY),
    "POSTS": request(b"POSTS %b HTTP/1.1" % PREDICT, HOST, _LENGTH, body=BODY),
    "no method": request(b"%b HTTP/1.1" % PREDICT, HOST),
    "nonsense": b"NONSENSE\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "data behind the last": post(BODY, b"Connection: close") + post(),
}
"""What no server must read in two ways. aiohttp decides."""
