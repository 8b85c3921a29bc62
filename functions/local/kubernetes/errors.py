"""Errors of the API, each a Kubernetes `Status` in the wording that the real API server was seen to use."""

from typing import Any

from functions.local.kubernetes.resources import Resource


class ApiError(Exception):
    """An answer other than success: HTTP code, reason (one CamelCase word), message and details."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.retry_after = retry_after

    def status(self) -> dict[str, Any]:
        """The `Status` object that goes over the wire."""
        body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.code}


def _details(resource: Resource, name: str, *, kind: bool = False) -> dict[str, Any]:
    details = {"name": name, "group": resource.group, "kind": resource.kind if kind else resource.plural}
    return {key: value for key, value in details.items() if value}


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource.key} "{name}" not found', _details(resource, name))


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{resource.key} "{name}" already exists', _details(resource, name))


def modified(resource: Resource, name: str) -> ApiError:
    """The resourceVersion sent is not the object's."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return ApiError(
        409, "Conflict", f'Operation cannot be fulfilled on {resource.key} "{name}": {why}', _details(resource, name)
    )


def precondition(resource: Resource, name: str, what: str, differs: tuple[str, str], hint: str) -> ApiError:
    """A precondition (uid or resourceVersion) does not hold. `differs`: what was sent, what is."""
    wanted, found = differs
    subject = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    message = (
        f'Operation cannot be fulfilled on {subject} "{name}": the {what} in the precondition ({wanted}) '
        f"does not match the {what} in record ({found}). The object might have been {hint}"
    )
    return ApiError(409, "Conflict", message, _details(resource, name, kind=True))


def invalid(resource: Resource, name: str, field: str, message: str, cause: str = "FieldValueInvalid") -> ApiError:
    """One field breaks a rule. `message` as in `Invalid value: "A_b": must be …`."""
    subject = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = _details(resource, name, kind=True)
    details["causes"] = [{"reason": cause, "message": message, "field": field}]
    return ApiError(422, "Invalid", f'{subject} "{name}" is invalid: {field}: {message}', details)


def patch_failed() -> ApiError:
    """A JSON Patch that does not apply, a failed `test` included: 422, not 409."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def denied(resource: Resource, name: str, why: str) -> ApiError:
    """A ValidatingAdmissionPolicy without a `reason` denies with 422 Invalid, not 403."""
    details = {"name": name, "group": resource.group, "kind": resource.plural, "causes": [{"message": why}]}
    details = {key: value for key, value in details.items() if value}
    return ApiError(422, "Invalid", f'{resource.key} "{name}" is forbidden: {why}', details)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    subject = f'{resource.key} "{name}"' if name else resource.key
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", _details(resource, name))


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def unsupported_media_type(resource: Resource) -> ApiError:
    types = ["application/json-patch+json", "application/merge-patch+json"]
    types += [] if resource.custom else ["application/strategic-merge-patch+json"]
    types += ["application/apply-patch+yaml"]
    accepted = ", ".join(types)
    message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    return ApiError(415, "UnsupportedMediaType", message)
