#!/usr/bin/env python3
"""Golden cases for answers in a schema: Tests/MnemeEngineTests/Golden/schemas.json.

    python3 -m venv v && v/bin/pip install 'jsonschema[format]' hypothesis-jsonschema hypothesis==6.98.0 'pydantic[email]'
    v/bin/python scripts/make_golden_schema.py                 # schemas with documents that fit and that do not
    v/bin/python scripts/make_golden_schema.py --walks FILE    # checks what a constraint wrote, and keeps it

What fits is judged by the Python package `jsonschema`, never by our own code. Documents come from
`hypothesis-jsonschema` and from pydantic's own models; those that do not fit are made of them by small changes. FILE
has a line for each text that random walks through the constraint wrote, {"name": schema, "walk": text}; the test
`random walks end in documents that fit` writes it if MNEME_SCHEMA_WALKS names a file.
"""
import argparse
import copy
import datetime
import decimal
import enum
import hashlib
import json
import pathlib
import random
import re
import typing
import uuid
import warnings

import jsonschema
import pydantic
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis_jsonschema import from_schema

GOLDEN = pathlib.Path(__file__).parent.parent / "Tests/MnemeEngineTests/Golden"
WALKS_PER_SCHEMA = 6
DOCUMENTS_PER_SCHEMA = 12


# --- What pydantic writes -------------------------------------------------------------------------------------------

class Color(enum.Enum):
    red = "red"
    green = "green"
    deep_blue = "deep blue"


class Address(pydantic.BaseModel):
    street: str = pydantic.Field(min_length=1, max_length=40, description="Street and number")
    city: str
    zip: str = pydantic.Field(pattern=r"^\d{5}(-\d{4})?$")


class Person(pydantic.BaseModel):
    """Somebody."""
    name: typing.Annotated[str, pydantic.StringConstraints(min_length=2, max_length=30)]
    age: int = pydantic.Field(ge=0, lt=150)
    email: pydantic.EmailStr
    height: float = pydantic.Field(gt=0, le=2.75)
    color: Color = Color.red
    born: datetime.date | None = None
    address: Address | None = None
    tags: typing.Annotated[list[str], pydantic.Field(max_length=3)] = []


class Cat(pydantic.BaseModel):
    kind: typing.Literal["cat"]
    lives: int = pydantic.Field(ge=1, le=9)


class Dog(pydantic.BaseModel):
    kind: typing.Literal["dog"] = "dog"
    good: bool


class Owner(pydantic.BaseModel):
    pet: Cat | Dog = pydantic.Field(discriminator="kind")
    others: list[Cat | Dog]


class Node(pydantic.BaseModel):
    value: int
    children: list["Node"] = []


class Event(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    id: uuid.UUID
    at: pydantic.AwareDatetime
    day: datetime.date
    lasts: datetime.timedelta
    price: decimal.Decimal = pydantic.Field(ge=0, le=1000)
    place: tuple[float, float]
    colors: set[Color]
    counts: dict[Color, int]
    notes: dict[typing.Annotated[str, pydantic.StringConstraints(pattern=r"^[a-z]+$")], str]


class Even(pydantic.RootModel[typing.Annotated[int, pydantic.Field(multiple_of=2, ge=-10, le=10)]]):
    pass


PYDANTIC = [Address, Person, Owner, Node, Event, Even]

# --- What zod, OpenAPI and people write -----------------------------------------------------------------------------

ZOD = {
    "zod user": {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid",
                   "pattern": "^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
                              "|00000000-0000-0000-0000-000000000000)$"},
            "age": {"type": "integer", "minimum": 0, "maximum": 9007199254740991},
            "score": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "mail": {"type": "string", "format": "email",
                     "pattern": r"^[A-Za-z0-9_'+\-]+([A-Za-z0-9_'+\-.]*[A-Za-z0-9_+-])?@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"},
            "role": {"type": "string", "enum": ["admin", "user"]}},
        "required": ["id", "age", "score", "mail", "role"], "additionalProperties": False},
    "zod union": {
        "oneOf": [
            {"type": "object", "properties": {"type": {"type": "string", "const": "ok"}, "data": {"type": "string"}},
             "required": ["type", "data"], "additionalProperties": False},
            {"type": "object", "properties": {"type": {"type": "string", "const": "error"}, "code": {"type": "number"}},
             "required": ["type", "code"], "additionalProperties": False}]},
    "zod tuple": {
        "type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": False, "minItems": 2},
    "zod record": {
        "type": "object", "propertyNames": {"type": "string", "minLength": 2, "maxLength": 4},
        "additionalProperties": {"type": "boolean"}},
    "zod intersection": {
        "allOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                  {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]}]},
    "zod nullable": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]},
}

OPENAPI = {
    "openapi pet": {
        "type": "object", "required": ["name", "photoUrls"],
        "properties": {
            "id": {"type": "integer", "format": "int64", "example": 10},
            "name": {"type": "string", "example": "doggie"},
            "category": {"$ref": "#/definitions/Category"},
            "photoUrls": {"type": "array", "items": {"type": "string", "format": "uri"}, "minItems": 1, "maxItems": 2},
            "status": {"type": "string", "enum": ["available", "pending", "sold"]}},
        "definitions": {"Category": {"type": "object", "xml": {"name": "category"},
                                     "properties": {"id": {"type": "integer", "format": "int32"},
                                                    "name": {"type": "string"}}}}},
    "openapi inheritance": {
        "allOf": [{"$ref": "#/$defs/Base"},
                  {"type": "object", "properties": {"bark": {"type": "boolean"}}, "required": ["bark"]}],
        "$defs": {"Base": {"type": "object", "required": ["id"],
                           "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 3}}}}},
    "openapi reference with bounds": {
        "$ref": "#/$defs/Short", "minLength": 2, "$defs": {"Short": {"type": "string", "maxLength": 4}}},
}

HAND = {
    "recursion at the root": {
        "type": "object", "properties": {"name": {"type": "string"}, "child": {"$ref": "#"}}, "required": ["name"]},
    "mutual recursion": {
        "$ref": "#/$defs/a", "$defs": {
            "a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/b"}}, "additionalProperties": False},
            "b": {"type": "array", "items": {"$ref": "#/$defs/a"}, "maxItems": 2}}},
    "list of itself": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 9},
                                 {"type": "array", "items": {"$ref": "#"}, "maxItems": 3}]},
    "pointer into properties": {
        "type": "object", "required": ["from", "to"],
        "properties": {"from": {"type": "string", "pattern": "^[A-Z]{3}$"}, "to": {"$ref": "#/properties/from"}}},
    "unanchored pattern": {"type": "string", "pattern": "b[0-9]+b"},
    "begin only": {"type": "string", "pattern": "^ab", "maxLength": 6},
    "end only": {"type": "string", "pattern": "xy$", "maxLength": 6},
    "anchors in branches": {"type": "string", "pattern": "^a|b$", "maxLength": 5},
    "groups": {"type": "string", "pattern": "^(?:(?<year>[0-9]{4})-)?(q[1-4]|h[12])(,\\s?(q[1-4]|h[12]))*$"},
    "negated class": {"type": "string", "pattern": "^[^\\s\"\\\\]{1,5}$"},
    "non-ASCII": {"type": "string", "pattern": "^[äöüß-ÿ日本語]{1,4}😀?$"},
    "word and digits": {"type": "string", "pattern": "^\\w+@\\d{2,3}\\.\\w{2}$", "maxLength": 12},
    "two patterns": {"allOf": [{"type": "string", "pattern": "a"}, {"pattern": "b"}], "maxLength": 6},
    "pattern and lengths": {"type": "string", "pattern": "^(ab|c)*$", "minLength": 3, "maxLength": 7},
    "slashes": {"type": "string", "pattern": "^/[a-z]+(/[a-z]+)*$", "maxLength": 20},
    "lengths count scalars": {"type": "string", "minLength": 2, "maxLength": 3},
    "long lengths": {"type": "string", "minLength": 100, "maxLength": 120},
    "date": {"type": "string", "format": "date"}, "time": {"type": "string", "format": "time"},
    "date-time": {"type": "string", "format": "date-time"}, "email": {"type": "string", "format": "email"},
    "uuid": {"type": "string", "format": "uuid"}, "ipv4": {"type": "string", "format": "ipv4"},
    "ipv6": {"type": "string", "format": "ipv6"}, "uri": {"type": "string", "format": "uri"},
    "hostname": {"type": "string", "format": "hostname"}, "duration": {"type": "string", "format": "duration"},
    "whole range": {"type": "integer", "minimum": -37, "maximum": 1204},
    "whole below zero": {"type": "integer", "maximum": -5},
    "whole above": {"type": "integer", "exclusiveMinimum": 99},
    "whole between halves": {"type": "integer", "minimum": 1.5, "maximum": 4.5},
    "one whole number": {"type": "integer", "minimum": 7, "maximum": 7},
    "steps": {"type": "integer", "multipleOf": 7, "minimum": 10, "maximum": 50},
    "steps below zero": {"type": "integer", "multipleOf": 15, "minimum": -100, "maximum": 0},
    "two steps": {"allOf": [{"type": "integer", "multipleOf": 4}, {"multipleOf": 6}], "minimum": 0, "maximum": 100},
    "quarters": {"type": "number", "multipleOf": 0.25, "minimum": -2, "maximum": 2},
    "cents": {"type": "number", "multipleOf": 0.01, "minimum": 0, "maximum": 100},
    "open unit": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "temperatures": {"type": "number", "minimum": -273.15, "maximum": 56.7},
    "narrow": {"type": "number", "minimum": 3.14159, "maximum": 3.1416},
    "draft 4 bounds": {"type": "number", "minimum": 0, "exclusiveMinimum": 0, "maximum": 10},
    "types": {"type": ["string", "integer", "null"], "maxLength": 3, "minimum": 5},
    "constants": {"enum": ["a", "ab", "a\"b", 1, 12, 1.5, None, True, ["x", 1], {"k": []}]},
    "constant object": {"const": {"b": 1, "a": [True, None]}},
    "enum and bounds": {"enum": [1, 5, 10, "x"], "type": "integer", "minimum": 2},
    "tuple and rest": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}],
                       "items": {"type": "string", "maxLength": 2}, "minItems": 1, "maxItems": 4},
    "old tuple": {"$schema": "http://json-schema.org/draft-07/schema#", "type": "array",
                  "items": [{"type": "integer"}, {"type": "boolean"}], "additionalItems": False},
    "distinct": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 2},
    "distinct of several": {"type": "array", "uniqueItems": True, "maxItems": 3,
                            "items": {"anyOf": [{"type": "boolean"}, {"enum": [None, "x"]}]}},
    "many elements": {"type": "array", "items": {"type": "boolean"}, "minItems": 20, "maxItems": 22},
    "members": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 9},
                "minProperties": 1, "maxProperties": 2},
    "members of properties": {"type": "object", "minProperties": 2, "maxProperties": 3, "additionalProperties": False,
                              "properties": {k: {"type": "boolean"} for k in "abcde"}, "required": ["d"]},
    "names by pattern": {"type": "object", "patternProperties": {"^n_": {"type": "integer"}, "_s$": {"type": "number", "multipleOf": 2}},
                         "properties": {"n_a": {"maximum": 5}, "b": {"type": "string", "maxLength": 2}},
                         "additionalProperties": False, "required": ["n_a"]},
    "names by pattern and others": {"type": "object", "patternProperties": {"^x": {"type": "null"}},
                                    "additionalProperties": {"type": "boolean"}},
    "listed names": {"type": "object", "propertyNames": {"enum": ["a", "b c", "é"]},
                     "additionalProperties": {"type": "integer"}, "minProperties": 1},
    "required together": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                          "additionalProperties": False, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
    "choices that combine": {"allOf": [{"anyOf": [{"minimum": 10}, {"maximum": -10}]},
                                       {"oneOf": [{"type": "integer"}, {"type": "null"}]}],
                             "type": "integer", "minimum": -20, "maximum": 20},
    "an impossible choice": {"anyOf": [{"type": "integer", "minimum": 3, "maximum": 2}, {"type": "boolean"}]},
    "an impossible property": {"type": "object", "additionalProperties": False,
                               "properties": {"a": False, "b": {"type": "null"}}},
    "odd names": {"type": "object", "additionalProperties": False, "required": ["", "a\"b", "é\n", "$ref"],
                  "properties": {k: {"type": "null"} for k in ["", "a\"b", "é\n", "$ref", "type"]}},
    "undescribed but required": {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["z", "a"],
                                 "additionalProperties": {"type": "boolean"}},
    "anything": {}, "any object": {"type": "object"}, "any list": {"type": "array", "maxItems": 3},
}


def corpus():
    schemas = {f"pydantic {model.__name__}": model.model_json_schema() for model in PYDANTIC}
    return schemas | ZOD | OPENAPI | HAND


# Documents for what the generator does not make: recursion, formats that it does not know, some conjunctions.
SAMPLES = {
    "pydantic Address": [{"street": "A 1", "city": "", "zip": "12345"}, {"street": "é" * 40, "city": "x", "zip": "12345-6789"}],
    "zod tuple": [["a", 1], ["", -0.5]],
    "pydantic Node": [{"value": 1}, {"value": -3, "children": []},
                      {"value": 0, "children": [{"value": 1, "children": [{"value": 2}]}, {"value": 3}]}],
    "pydantic Owner": [{"pet": {"kind": "cat", "lives": 9}, "others": []},
                       {"pet": {"kind": "dog", "good": True}, "others": [{"kind": "cat", "lives": 1},
                                                                         {"kind": "dog", "good": False}]}],
    "pydantic Person": [{"name": "Ana Çelik", "age": 149, "email": "ana@example.org", "height": 1.7, "born": "2000-02-29",
                         "address": {"street": "A 1", "city": "", "zip": "12345-6789"}, "tags": ["x", "", "日本"]}],
    "pydantic Event": [{"id": "123e4567-e89b-12d3-a456-426614174000", "at": "2024-02-29T23:59:59.5+01:00",
                        "day": "1999-12-31", "lasts": "P1DT2H", "price": 999.99, "place": [1.5, -2],
                        "colors": ["red", "deep blue"], "counts": {"red": 1, "deep blue": 0}, "notes": {"a": "b"}}],
    "zod user": [{"id": "123e4567-e89b-42d3-a456-426614174000", "age": 0, "score": 0.5, "mail": "a.b@c-d.example",
                  "role": "user"}],
    "openapi inheritance": [{"id": "abc", "bark": True}, {"id": "é", "bark": False}],
    "zod intersection": [{"a": "", "b": 1}, {"a": "x", "b": -20}],
    "recursion at the root": [{"name": "a"}, {"name": "a", "child": {"name": "b", "child": {"name": ""}}}],
    "mutual recursion": [{}, {"b": []}, {"b": [{}, {"b": [{"b": []}]}]}],
    "list of itself": [1, [], [1, [2, [3, []]]]],
    "groups": ["q1", "2024-h2", "q1,h2", "2024-q4, q1,q3"],
    "two patterns": ["ab", "bxa", "ba"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"],
    "duration": ["P1Y", "P1Y2M3DT4H5M6S", "PT5M", "P4W", "P1DT1S"],
    "tuple and rest": [[1], [1, True], [-7, False, "ab", ""]],
    "long lengths": ["x" * 100, "é" * 120, "日" * 110],
    "word and digits": ["a_b@12.xy", "Z@999.__"],
    "required together": [{"a": 1}, {"b": 2}, {"a": 1, "b": 2}],
}

# --- The reference --------------------------------------------------------------------------------------------------

def pattern(validator, patrn, instance, schema):
    """`pattern` as ECMA-262 reads it, not as Python does: `$` is the end alone, classes are ASCII."""
    if validator.is_type(instance, "string") and not search(patrn, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {patrn!r}")


def search(patrn, text):
    blanks = r"\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
    patrn = re.sub(r"(?<!\\)\$", r"\\Z", patrn).replace("(?<", "(?P<")
    patrn = patrn.replace(r"[^\s", "[^" + blanks).replace(r"\s", f"[{blanks}]")
    return re.search(patrn, text, re.ASCII)


def validator(schema):
    base = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    return jsonschema.validators.extend(base, {"pattern": pattern})(schema, format_checker=base.FORMAT_CHECKER)


def fits(check, text):
    # Decimals are exact; JSON has no infinities.
    if re.search(r"\b(NaN|Infinity)\b", text):
        return False
    return check.is_valid(json.loads(text, parse_float=decimal.Decimal))


def exact(schema):
    return json.loads(json.dumps(schema), parse_float=decimal.Decimal)


# --- Documents ------------------------------------------------------------------------------------------------------

def closed(schema, in_all_of=False):
    """The schema as our constraint reads it: objects whose members are described hold no others."""
    if isinstance(schema, list):
        return [closed(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    out = {k: (v if k in ("enum", "const", "required", "default") else [closed(s, True) for s in v] if k == "allOf" else closed(v)) for k, v in schema.items()}
    if "discriminator" in schema:
        tag = {"required": [schema["discriminator"]["propertyName"]]}
        out["oneOf"] = [{"allOf": [choice, tag]} for choice in out["oneOf"]]
    if not in_all_of and schema.get("type") == "object" and "properties" in schema and "additionalProperties" not in schema:
        if "patternProperties" not in schema:
            out["additionalProperties"] = False
    return out


def names_in_order(schema, out):
    if isinstance(schema, dict):
        for name in schema.get("properties", {}) if isinstance(schema.get("properties"), dict) else []:
            out.setdefault(name, len(out))
        names = schema.get("propertyNames", {})
        for name in schema["const"] if isinstance(schema.get("const"), dict) else []:
            out.setdefault(name, len(out))
        for name in names.get("enum", []) if isinstance(names, dict) else []:
            out.setdefault(name, len(out))
        for value in schema.values():
            names_in_order(value, out)
    elif isinstance(schema, list):
        for value in schema:
            names_in_order(value, out)
    return out


def ordered(value, order):
    if isinstance(value, dict):
        names = sorted(value, key=lambda n: order.get(n, len(order)))
        return {n: ordered(value[n], order) for n in names}
    return [ordered(v, order) for v in value] if isinstance(value, list) else value


def written(value, order, form):
    # Names and listed values are written as they are, other texts also with escapes.
    plain = not str(order).isascii()
    text = json.dumps(value if form % 5 == 4 else ordered(value, order), ensure_ascii=form % 3 == 0 and not plain,
                      separators=(",", ":") if form % 2 else (", ", ": "))
    return text


def generated(schema, count):
    found = []
    strategy = from_schema(schema)

    @seed(7)
    @settings(max_examples=count * 8, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(value):
        if value not in found and len(json.dumps(value)) < 400:
            found.append(value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            collect()
        except Exception as error:
            print("   ", type(error).__name__, str(error)[:90])
    found.sort(key=lambda v: (len(json.dumps(v)) < 8, hashlib.sha256(json.dumps(v).encode()).hexdigest()))
    return found[:count]


def changed(value, r):
    """A small change somewhere."""
    value = copy.deepcopy(value)
    places = []

    def visit(v, put):
        places.append((v, put))
        if isinstance(v, dict):
            for k in v:
                visit(v[k], lambda x, v=v, k=k: v.__setitem__(k, x))
        elif isinstance(v, list):
            for i in range(len(v)):
                visit(v[i], lambda x, v=v, i=i: v.__setitem__(i, x))
    box = [value]
    visit(value, lambda x: box.__setitem__(0, x))
    v, put = r.choice(places)
    if isinstance(v, bool) or v is None:
        new = r.choice([0, "true", [], not v])
    elif isinstance(v, str):
        i = r.randrange(len(v) + 1)
        new = r.choice([v[:i] + r.choice("a0-.@ Z\"\n\u00e9") + v[i:], v[:i] + v[i + 1:], v + v, "", v.upper(), 5])
    elif isinstance(v, (int, float)):
        new = r.choice([v + 1, v - 1, -v, v * 10, v + 0.5, v + 1000, str(v)])
    elif isinstance(v, list):
        new = r.choice([v + v, v[1:], v + [None], {}, v + ["x"] * 3])
    else:
        new = dict(v)
        if new and r.random() < 0.6:
            new.pop(r.choice(sorted(new)))
        else:
            new[r.choice(["q", "x9", "n_z", "a"])] = r.choice([1, None, "s"])
    put(new)
    return box[0]


def simplest(text):
    """Whether the text has only forms that a constraint writes: no exponents, 15 digits behind a point."""
    return not re.search(r"[0-9][eE][-+0-9]|\.[0-9]{16}", re.sub(r'"(\\.|[^"\\])*"', "", text))


def cases(name, schema):
    order, r = names_in_order(schema, {}), random.Random(name)
    own, check = validator(exact(closed(schema))), validator(exact(schema))
    documents = list(SAMPLES.get(name, []))
    # Described members that stand in several schemas close the object of all: the generator cannot say that.
    if not ("allOf" in schema and documents):
        documents += generated(closed(schema), DOCUMENTS_PER_SCHEMA)
    valid, invalid = [], []
    for i, value in enumerate(documents):
        # The last form keeps the members' order as it came, which may not be the schema's.
        text = written(value, order, i % 4)
        if simplest(text) and fits(own, text) and text not in valid:
            valid.append(text)
    for i in range(200):
        if len(invalid) >= DOCUMENTS_PER_SCHEMA or not documents:
            break
        text = written(changed(r.choice(documents), r), order, i)
        if not fits(check, text) and text not in invalid:
            invalid.append(text)
    return {"name": name, "schema": json.dumps(schema, ensure_ascii=False), "valid": valid, "invalid": invalid}


def make():
    result = []
    for name, schema in corpus().items():
        case = cases(name, schema)
        print(f"{name}: {len(case['valid'])} that fit, {len(case['invalid'])} that do not")
        result.append(case)
    GOLDEN.joinpath("schemas.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")


def check_walks(path):
    schemas = {name: (validator(exact(schema)), validator(schema)) for name, schema in corpus().items()}
    kept, wrong = {}, 0
    for line in pathlib.Path(path).read_text().split("\n"):
        if not line:
            continue
        entry = json.loads(line)
        if entry["name"] not in schemas:
            continue
        try:
            decimals, doubles = schemas[entry["name"]]
            good = fits(decimals, entry["walk"])
            # Clients read numbers as doubles; those are no multiples of fractions.
            if good and "multipleOf" not in json.dumps(doubles.schema):
                good = doubles.is_valid(json.loads(entry["walk"]))
        except Exception as error:
            good = False
            print(error)
        if not good:
            wrong += 1
            print("does not fit:", entry["name"], entry["walk"][:300])
        kept.setdefault(entry["name"], []).append(entry["walk"])
    print(sum(map(len, kept.values())), "walks,", wrong, "wrong")
    return kept, wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--walks")
    parser.add_argument("--only-check", action="store_true")
    args = parser.parse_args()
    if args.walks:
        kept, wrong = check_walks(args.walks)
        if wrong:
            raise SystemExit("A walk does not fit its schema.")
        if not args.only_check:
            few = {name: walks[:WALKS_PER_SCHEMA] for name, walks in kept.items()}
            GOLDEN.joinpath("walks.json").write_text(json.dumps(few, ensure_ascii=False, indent=1) + "\n")
    else:
        make()
