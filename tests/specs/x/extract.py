"""Cuts the operations that psn uses out of X's OpenAPI documents.

usage: extract.py OPENAPI.json > openapi-VERSION.json

Kept: method, path, parameters (references resolved), and the request body's schema; every schema that these refer to.
Dropped: descriptions, examples, answers (answers are not validated: the live API is ahead of or behind its document).
"""

import json
import sys

USED = {
    "/2/tweets": ["post", "get"],
    "/2/tweets/{id}": ["get", "delete"],
    "/2/users/{id}/tweets": ["get"],
    "/2/users/me": ["get"],
    "/2/media/upload/initialize": ["post"],
    "/2/media/upload/{id}/append": ["post"],
    "/2/media/upload/{id}/finalize": ["post"],
    "/2/media/upload": ["get", "post"],
    "/2/media/metadata": ["post"],
}
DROPPED = {"description", "example", "examples", "externalDocs"}


def bare(value, names_are_data=False):
    if isinstance(value, list):
        return [bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: bare(item, key == "properties")
        for key, item in value.items()
        if names_are_data or key not in DROPPED
    }


def references(value):
    if isinstance(value, list):
        return [name for item in value for name in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"].rsplit("/", 1)[1]] if isinstance(value.get("$ref"), str) else []
    return own + [name for item in value.values() for name in references(item)]


document = json.load(open(sys.argv[1]))
components = document["components"]
paths = {}
for path, methods in USED.items():
    for method in methods:
        operation = document["paths"][path][method]
        kept = {"parameters": []}
        for parameter in operation.get("parameters", []):
            if "$ref" in parameter:
                parameter = components["parameters"][parameter["$ref"].rsplit("/", 1)[1]]
            kept["parameters"].append(bare(parameter))
        if "requestBody" in operation:
            kept["requestBody"] = bare(operation["requestBody"])
        paths.setdefault(path, {})[method] = kept

schemas, waiting = {}, references(paths)
while waiting:
    name = waiting.pop()
    if name not in schemas:
        schemas[name] = bare(components["schemas"][name])
        waiting += references(schemas[name])

result = {
    "openapi": document["openapi"],
    "info": document["info"],
    "paths": paths,
    "components": {"schemas": dict(sorted(schemas.items()))},
}
result["info"].pop("description", None)
json.dump(result, sys.stdout, indent=1, ensure_ascii=False)
print()
