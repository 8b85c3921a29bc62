"""What the loader's container runs: POSIX sh with find, sort, sed, sha256sum, head and tar, as busybox has them too.

The same text is in knative/components/serve-from-pvc. Nothing here removes what it did not write itself: a copy is
made beside its place (in `.modelswitch` on the claim), checked, and moved there only if nothing else is there.
"""

ROOT = "/claim"
STAGING = ".modelswitch"
OTHER_CONTENT, WRONG_DIGEST, EMPTY = 4, 3, 5

_LISTING = r"""lines() { (cd "$1" && find . -type f ! -name '.*' ! -path '*/.*' ! -name _SUCCESS | sed 's|^\./||' | while IFS= read -r f; do sha256sum "$f"; done); }
"""

FINISH = (
    _LISTING
    + r"""digest() { echo "sha256:$(lines "$1" | LC_ALL=C sort | sha256sum | cut -d' ' -f1)"; }
size() { (cd "$1" && find . -type f ! -name '.*' ! -path '*/.*' ! -name _SUCCESS -exec wc -c {} +) | awk '$2 != "total" { sum += $1; n += 1 } END { printf "\"size\": %.0f, \"files\": %d", sum, n }'; }
say() { echo "$1"; if [ -w /dev/termination-log ]; then echo "$1" >/dev/termination-log; fi; }
set -eu
staged=$1 final=$2 expected=${3:-}
if [ -z "$(ls -A "$staged" 2>/dev/null)" ] && [ -f "$final/_SUCCESS" ]; then staged=$final; fi
if [ -z "$(lines "$staged" 2>/dev/null | head -n 1)" ]; then say '{"error": "empty"}'; exit 5; fi
found=$(digest "$staged")
if [ -n "$expected" ] && [ "$found" != "$expected" ]; then say "{\"error\": \"digest\", \"digest\": \"$found\"}"; exit 3; fi
if [ "$staged" != "$final" ]; then
  if [ -e "$final" ] && [ -n "$(ls -A "$final" 2>/dev/null || echo file)" ]; then
    there=$(digest "$final" 2>/dev/null || echo none)
    if [ "$there" != "$found" ]; then say "{\"error\": \"other-content\", \"digest\": \"$there\"}"; exit 4; fi
    rm -rf "$staged"
  else
    if [ -d "$final" ]; then rmdir "$final"; fi
    chmod -R a+rX "$staged"
    mkdir -p "$(dirname "$final")"
    mv "$staged" "$final"
  fi
  echo "$found" >"$final/_SUCCESS"
  sync
fi
say "{\"digest\": \"$found\", $(size "$final")}"
"""
)
"""Arguments: where the copy is, where it belongs, the digest expected ("" for any). Answers one line of JSON."""

PREPARE = 'set -eu; rm -rf "$1"; mkdir -p "$1"'
"""Arguments: where the copy is to be made. An earlier, unfinished copy of ours goes."""

LIST = _LISTING + 'mkdir -p "$1"; lines "$1"'
"""Arguments: where the copy is being made. Answers the lines of what has arrived already."""

RECEIVE = 'set -eu; mkdir -p "$1"; head -c "$2" | tar -xf - -C "$1"'
"""Arguments: where to, how many bytes of tar come."""

IDLE = "trap 'exit 0' TERM INT; sleep 86400 & wait"
"""What the loader's pod runs between two commands. It ends after a day, so that a forgotten pod does not run forever."""
