#!/usr/bin/env python3
"""Checks every vector in this directory.

Written from README.md and the "about" texts alone, with Python's standard
library: it shares no code with Incipit, so agreement means that the rules can
be followed in any language.
"""

import hashlib
import json
import math
import re
import sys
from decimal import Decimal
from functools import cmp_to_key
from pathlib import Path

HERE = Path(__file__).resolve().parent
MASK = 0xFFFFFFFF


# --- bucketing -------------------------------------------------------------

def fnv1a32(data):
    h = 2166136261
    for byte in data:
        h = ((h ^ byte) * 16777619) & MASK
    return h


def fmix32(h):
    h ^= h >> 16
    h = (h * 0x85EBCA6B) & MASK
    h ^= h >> 13
    h = (h * 0xC2B2AE35) & MASK
    return h ^ (h >> 16)


def slot(bucketing, salt, subject):
    if bucketing == "fnv1a-fmix32":
        return (fmix32(fnv1a32(f"{salt}\0{subject}".encode())) * 100_000) >> 32
    if bucketing == "md5-100":
        return int(hashlib.md5(subject.encode()).hexdigest(), 16) % 100 * 1000
    raise ValueError(bucketing)


def assign(row):
    at = slot(row["bucketing"], row["salt"], row["subject"])
    found = [a["name"] for a in row["arms"] for r in a.get("ranges", []) if r["from"] <= at < r["to"]]
    assert len(found) == 1, found
    return found[0]


def check_bucketing(doc):
    for row in doc["cases"]:
        yield row, slot(row["bucketing"], row["salt"], row["subject"]), row["slot"]
    for row in doc["bulk"]:
        slots = (slot(row["bucketing"], row["salt"], f"{row['prefix']}{i}") for i in range(row["count"]))
        text = "".join(f"{s}\n" for s in slots)
        yield row, hashlib.sha256(text.encode()).hexdigest(), row["sha256"]
    for row in doc["assign"]:
        yield row, assign(row), row["arm"]


# --- rendering -------------------------------------------------------------

SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
INTEGER = re.compile(r"[+-]?[0-9]+\Z")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")


class Refused(Exception):
    """Its text is the kind of the error."""


def parse(template):
    """Returns a list of ("text", s) and ("variable", name)."""
    s = template.encode()
    parts, pos = [], 0
    while True:
        i = s.find(b"{{", pos)
        if i < 0:
            parts.append(("text", s[pos:].decode()))
            return parts
        if i > pos and s[i - 1:i] == b"\\":
            parts.append(("text", (s[pos:i - 1] + b"{{").decode()))
            pos = i + 2
            continue
        end = s.find(b"}}", i + 2, i + 2 + 1024)
        if end < 0:
            raise Refused("template")
        inner = s[i + 2:end].decode().strip(SPACE)
        parts.append(("text", s[pos:i].decode()))
        if inner.startswith(">"):
            raise Refused("include")
        if not NAME.match(inner):
            raise Refused("template")
        parts.append(("variable", inner))
        pos = end + 2


def accept(variable, value):
    if 0 < variable.get("max_length", 0) < len(value):
        raise Refused("length")
    kind = variable.get("type") or "string"
    ok = {
        "string": lambda: True,
        "integer": lambda: INTEGER.match(value) and -2**63 <= int(value) < 2**63,
        "number": lambda: NUMBER.match(value) and math.isfinite(float(value)),
        "boolean": lambda: value in ("true", "false"),
    }[kind]
    if not ok():
        raise Refused("type")


def default_text(variable):
    """Returns the text of a default, or None where there is none."""
    d = variable.get("default")
    if d is None:
        return None
    if isinstance(d, bool):
        text = "true" if d else "false"
    elif isinstance(d, str):
        text = d
    elif isinstance(d, (int, float)) and abs(d) < 2**53:
        text = "0" if d == 0 else format(Decimal(repr(d)), "f")
        if "." in text:
            text = text.rstrip("0").rstrip(".")
    else:
        raise Refused("default")
    try:
        accept(variable, text)
    except Refused as e:
        raise Refused("default") from e
    return text


def required(variable):
    r = variable.get("required")
    return variable.get("default") is None if r is None else r


def render(row):
    variables, values = row["variables"], row["vars"]
    defaults = {name: default_text(v) for name, v in variables.items()}
    messages = [(m["role"], parse(m["content"])) for m in row["messages"]]
    for _, parts in messages:
        for kind, name in parts:
            if kind == "variable" and name not in variables:
                raise Refused("undeclared")
    for name, v in variables.items():
        if required(v) and name not in values:
            raise Refused("missing")
    for name, value in values.items():
        if name not in variables:
            raise Refused("unknown")
        accept(variables[name], value)

    def insert(kind, s):
        return s if kind == "text" else values.get(s, defaults[s] or "")

    return [{"role": role, "content": "".join(insert(*p) for p in parts)} for role, parts in messages]


def check_rendering(doc):
    for row in doc["cases"]:
        try:
            got = render(row)
        except Refused as e:
            got = str(e)
        yield row, got, row.get("error") or row.get("rendered", [])


# --- digest ----------------------------------------------------------------

def number(f):
    """Prints a number as ECMAScript does."""
    if isinstance(f, int) and abs(f) > 2**53:
        raise Refused("integer")
    f = float(f)
    if f == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(f)).as_tuple()
    s = "".join(map(str, digits)).rstrip("0")
    n = len(digits) + exponent  # where the point stands in the digits
    k = len(s)
    if k <= n <= 21:
        s += "0" * (n - k)
    elif 0 < n <= 21:
        s = s[:n] + "." + s[n:]
    elif -6 < n <= 0:
        s = "0." + "0" * -n + s
    else:
        s = s[0] + ("." + s[1:] if k > 1 else "") + f"e{n - 1:+d}"
    return "-" * sign + s


SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def string(s):
    return '"' + "".join(SHORT.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in s) + '"'


def canonical(v):
    if v is None:
        return "null"
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, (int, float)):
        return number(v)
    if isinstance(v, str):
        return string(v)
    if isinstance(v, list):
        return "[" + ",".join(map(canonical, v)) + "]"
    keys = sorted(v, key=lambda k: k.encode("utf-16-be"))
    return "{" + ",".join(string(k) + ":" + canonical(v[k]) for k in keys) + "}"


def document(p):
    return {
        "format": "incipit-prompt/1",
        "model": p["model"],
        "messages": [{"role": m["role"], "content": m["content"]} for m in p["messages"]],
        "variables": {
            name: {
                "type": v.get("type") or "string",
                "required": required(v),
                "default": default_text(v),
                "max_length": v.get("max_length", 0),
                "trusted": v.get("trusted", False),
            }
            for name, v in p.get("variables", {}).items()
        },
        "parameters": p.get("parameters") or None,
        "tools": p.get("tools") or None,
        "output_schema": p.get("output_schema") or None,
    }


def check_digest(doc):
    for row in doc["cases"]:
        try:
            text = canonical(document(row["prompt"]))
        except Refused as e:
            yield row, str(e), row.get("error")
            continue
        yield row, text, row.get("canonical")
        yield row, "sha256:" + hashlib.sha256(text.encode()).hexdigest(), row.get("digest")


# --- versions --------------------------------------------------------------

IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
CORE = r"(0|[1-9][0-9]*)"
VERSION = re.compile(rf"{CORE}\.{CORE}\.{CORE}(?:-({IDENTIFIER}(?:\.{IDENTIFIER})*))?\Z")


def version(s):
    m = VERSION.match(s)
    if not m or len(s.encode()) > 64:
        raise Refused("version")
    core = tuple(int(n) for n in m.groups()[:3])
    if max(core) > MASK:
        raise Refused("version")
    return core, m.group(4).split(".") if m.group(4) else []


def precedence(a, b):
    (core_a, pre_a), (core_b, pre_b) = version(a), version(b)

    def key(pre):
        # A number is lower than a word, and less than more of the same.
        return [(0, int(i), "") if i.isdecimal() else (1, 0, i) for i in pre]

    x, y = (core_a, not pre_a, key(pre_a)), (core_b, not pre_b, key(pre_b))
    return (x > y) - (x < y)


def bump(v, b):
    (major, minor, patch), _ = version(v)
    return {"major": f"{major + 1}.0.0", "minor": f"{major}.{minor + 1}.0", "patch": f"{major}.{minor}.{patch + 1}"}[b]


def check_versions(doc):
    order = doc["order"]
    yield "the order", sorted(reversed(order), key=cmp_to_key(precedence)), order
    for a, b in zip(order, order[1:]):
        yield f"{a} < {b}", precedence(a, b), -1
    for s in doc["invalid"]:
        try:
            yield s, version(s), "refused"
        except Refused:
            yield s, "refused", "refused"
    for row in doc["next"]:
        if max(version(row["version"])[0]) < MASK:
            yield row, bump(row["version"], row["bump"]), row["next"]


# --- audit -----------------------------------------------------------------

def event_hash(e):
    return hashlib.sha256(canonical({**e, "hash": ""}).encode()).hexdigest()


def holds(events):
    """How many events from the first on are as they were written."""
    n, previous = 0, ""
    for e in events:
        if e["seq"] != n + 1 or e["previous"] != previous or e["hash"] != event_hash(e):
            break
        n, previous = n + 1, e["hash"]
    return n


def check_audit(doc):
    for e in doc["events"]:
        yield e, event_hash(e), e["hash"]
    yield "the chain", holds(doc["events"]), len(doc["events"])
    for row in doc["broken"]:
        yield row["name"], holds(row["events"]), row["holds"]


# --- call ids --------------------------------------------------------------

def check_callid(doc):
    for row in doc["cases"]:
        tail = int(row["random"], 16)
        tail = tail & ~(0xF << 76) | 0x7 << 76
        tail = tail & ~(0x3 << 62) | 0x2 << 62
        h = f"{row['ms'] << 80 | tail:032x}"
        yield row, "-".join([h[:8], h[8:12], h[12:16], h[16:20], h[20:]]), row["id"]


def main():
    failed = 0
    for name, check in [
        ("bucketing", check_bucketing),
        ("rendering", check_rendering),
        ("digest", check_digest),
        ("versions", check_versions),
        ("audit", check_audit),
        ("callid", check_callid),
    ]:
        doc = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
        count = 0
        for row, got, want in check(doc):
            count += 1
            if got != want:
                failed += 1
                print(f"{name}: {row}\n   got {got!r}\n  want {want!r}")
        print(f"{name}: {count} checked")
    print("all hold" if not failed else f"{failed} do not hold")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
