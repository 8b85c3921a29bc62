"""A command's source and id as one string, as records and our annotation carry it.

Nearly always both with a space between. Where one of them has a space itself, as the source of a REST user called "Jane
Doe" has, that would be ambiguous: then it is a JSON list.
"""

import json

_LIST = '["'
_REST = "rest:"
_SUBJECT = " namespaces/"
"""What a bulk command's id ends with: its key, a space and the model."""


def join_key(source: str, command: str) -> str:
    """Different commands have different keys."""
    plain = " " not in source + command.partition(_SUBJECT)[0] and not source.startswith(_LIST)
    return f"{source} {command}" if plain else json.dumps([source, command], ensure_ascii=False, separators=(",", ":"))


def split_key(key: str) -> tuple[str, str]:
    """Source and id.

    Also of keys that were written before, with a space between whatever they were: a user's name may have more.
    """
    if key.startswith(_LIST):
        try:
            source, command = json.loads(key)
        except (ValueError, TypeError, RecursionError):
            pass
        else:
            return str(source), str(command)
    if key.startswith(_REST) and key.count(" ") > 1:
        head, found, subject = key.partition(_SUBJECT)
        source, _, command = head.rpartition(" ")
        return source, f"{command}{found}{subject}"
    source, _, command = key.partition(" ")
    return source, command
