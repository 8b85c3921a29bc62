"""How gunicorn serves a function; functions-framework has no option for it, so the default is set before it starts."""

from gunicorn.config import ControlSocketDisable


def without_control_socket() -> None:
    """The socket would need a writable home, which a pod does not have, and all functions of one user would share it."""
    ControlSocketDisable.default = True
