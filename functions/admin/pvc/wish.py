"""What is wanted: which model, from where, onto which claim. Made from the command line, checked without the cluster."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath

from events.artifact import Strategy
from events.errors import shown
from events.location import Location
from functions.adapters.quantities import parse_quantity
from functions.admin.pvc.errors import Refusal
from functions.admin.pvc.folder import Folder
from functions.admin.pvc.scripts import STAGING

ACCESS_MODES = ("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod")
DEFAULT_ACCESS_MODE = ACCESS_MODES[0]


@dataclass(frozen=True)
class Wish:
    """`new_name` None: in place. `folder` None: from where the model's object says. None elsewhere: as it comes."""

    namespace: str
    model: str
    target: Location
    folder: Folder | None = None
    new_name: str | None = None
    size: str | None = None
    storage_class: str | None = None
    access_mode: str | None = None
    runtime_copy: str | None = None
    runtime_from: str | None = None
    loader_image: str | None = None
    loader_user: int | None = None
    artifact_size: int | None = None
    expected_digest: str | None = None
    strategy: Strategy = Strategy.ROLLING

    @property
    def claim(self) -> str:
        return self.target.authority

    @property
    def name(self) -> str:
        """Of the InferenceService that will serve from the claim."""
        return self.new_name or self.model

    @property
    def bytes_expected(self) -> int | None:
        """None: unknown before the copy."""
        return self.folder.size if self.folder else self.artifact_size

    @property
    def digest_expected(self) -> str | None:
        return self.folder.digest if self.folder else self.expected_digest

    def mark(self, source: str) -> str:
        """Eight letters for this copy: the same wish always gives the same, so that a second run finds the first's work."""
        told = f"{self.target} {source} {self.folder.digest if self.folder else ''}"
        return hashlib.sha256(told.encode()).hexdigest()[:8]


def target(namespace: str, claim: str, path: str) -> Location:
    """Where the artifact will be. Refusal: a claim elsewhere, or a path that is none or leaves the claim."""
    place, slash, name = claim.rpartition("/")
    if slash and place != namespace:
        raise Refusal(
            f"claim {shown(name)} is in namespace {shown(place)}, the model in {namespace}: pods mount only their own "
            "namespace's claims",
            "Name a claim of the model's namespace, or serve the model from the other namespace.",
        )
    try:
        found = Location.parse(f"pvc://{name}/{path}")
    except ValueError as error:
        raise Refusal(str(error), "Correct --claim or --path.") from error
    parts = PurePosixPath(found.path).parts
    if not parts:
        raise Refusal("no folder on the claim is named", "Name one with --path, such as the model's name.")
    if parts[0] == STAGING:
        raise Refusal(f"--path {STAGING} is where unfinished copies are", "Choose another folder.")
    return found


def in_bytes(quantity: str, option: str) -> int:
    """Refusal: no quantity, or none of at least a byte."""
    try:
        found = parse_quantity(quantity)
    except ValueError as error:
        raise Refusal(f"{option}: {error}", "Write it like 20Gi.") from error
    if found < 1 or (found != found.to_integral_value() and found < Decimal(1)):
        raise Refusal(f"{option} {shown(quantity)} is no size", "Write it like 20Gi.")
    return int(found)
