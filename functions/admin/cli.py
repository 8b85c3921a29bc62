"""`modelswitch pvc …` and `verify`: what talks to the cluster itself. An entry point of the group `modelswitch.commands`."""

# ruff: noqa: PLC0415 - commands import what they need when they run, so that --help and completion are quick
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from events.cli import options as opt
from events.cli.exits import CliError, Exit

admin_app = typer.Typer(no_args_is_help=True)
pvc_app = typer.Typer(no_args_is_help=True, help="Serve a model from a PersistentVolumeClaim instead of S3.")
admin_app.add_typer(pvc_app, name="pvc")

_CLAIM, _COPY = "Claim", "Copy"
_Claim = Annotated[
    str, typer.Option("--claim", help="The PersistentVolumeClaim, of the model's namespace.", rich_help_panel=_CLAIM)
]
_Path = Annotated[
    str | None, typer.Option("--path", help="Folder on the claim. Default: the model's name.", rich_help_panel=_CLAIM)
]
_Size = Annotated[
    str | None,
    typer.Option(
        "--size", help="Of a new claim, such as 20Gi. Default for a folder: a quarter more.", rich_help_panel=_CLAIM
    ),
]
_Class = Annotated[
    str | None,
    typer.Option(
        "--storage-class",
        help="Of a new claim. Default: the cluster's. One that does not retain is cloned as NAME-retain.",
        rich_help_panel=_CLAIM,
    ),
]
_Mode = Annotated[
    str | None,
    typer.Option(
        "--access-mode", help="ReadWriteOnce (default), ReadWriteMany or ReadWriteOncePod.", rich_help_panel=_CLAIM
    ),
]
_New = Annotated[
    str | None, typer.Option("--name", help="Make a new InferenceService of that name; the old one stays.")
]
_InPlace = Annotated[bool, typer.Option("--in-place", help="Change the InferenceService itself.")]
_From = Annotated[
    Path | None,
    typer.Option("--from", help="Copy this local folder instead of what the model names on S3.", rich_help_panel=_COPY),
]
_Image = Annotated[
    str | None,
    typer.Option(
        "--loader-image",
        help="Of the loader. Default: KServe's own storage initializer, as the cluster has it.",
        rich_help_panel=_COPY,
    ),
]
_User = Annotated[
    int | None,
    typer.Option(
        "--loader-user",
        help="User and group id of the loader. Default: 1000; on OpenShift its own.",
        rich_help_panel=_COPY,
    ),
]
_ArtifactSize = Annotated[
    str | None,
    typer.Option("--artifact-size", help="Of what is on S3, to check whether it fits.", rich_help_panel=_COPY),
]
_Digest = Annotated[
    str | None, typer.Option("--expected-digest", help="sha256:… that the copy must have.", rich_help_panel=_COPY)
]
_Runtime = Annotated[
    str | None,
    typer.Option(
        "--runtime", help="Copy the model's ServingRuntime under this name, without an emptyDir for the model."
    ),
]
_RuntimeFrom = Annotated[
    str | None, typer.Option("--runtime-from", help="The ServingRuntime to copy, where the model names none.")
]


def _command() -> ModuleType:
    """CliError (2) where the command line was installed without what talks to a cluster."""
    try:
        from functions.admin.pvc import command
    except ModuleNotFoundError as error:
        following = "pip install 'modelswitch[functions]'"
        raise CliError(
            Exit.USAGE, f"`modelswitch pvc` talks to the cluster, and {error.name} is not installed", following
        ) from error
    return command


@pvc_app.command()
def plan(
    name: opt.Name,
    *,
    claim: _Claim,
    namespace: opt.Namespace = None,
    path: _Path = None,
    new_name: _New = None,
    in_place: _InPlace = False,
    source: _From = None,
    size: _Size = None,
    storage_class: _Class = None,
    access_mode: _Mode = None,
    runtime: _Runtime = None,
    runtime_from: _RuntimeFrom = None,
    loader_image: _Image = None,
    loader_user: _User = None,
    artifact_size: _ArtifactSize = None,
    expected_digest: _Digest = None,
    json: opt.Json = False,
) -> None:
    """Show every check and every change, and change nothing. Exit code 1: `apply` would refuse."""
    command = _command()
    typed = command.Typed(
        name, namespace, claim, path, new_name, in_place, source, size, storage_class, access_mode, runtime, runtime_from,
        loader_image, loader_user, artifact_size, expected_digest,
    )  # fmt: skip
    command.plan(typed, as_json=json)


@pvc_app.command()
def apply(
    name: opt.Name,
    *,
    claim: _Claim,
    namespace: opt.Namespace = None,
    path: _Path = None,
    new_name: _New = None,
    in_place: _InPlace = False,
    source: _From = None,
    size: _Size = None,
    storage_class: _Class = None,
    access_mode: _Mode = None,
    runtime: _Runtime = None,
    runtime_from: _RuntimeFrom = None,
    loader_image: _Image = None,
    loader_user: _User = None,
    artifact_size: _ArtifactSize = None,
    expected_digest: _Digest = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    sink: Annotated[
        str | None,
        typer.Option("--sink", envvar="K_SINK", help="Address of the broker; without it nothing is published."),
    ] = None,
    load_timeout: Annotated[str, typer.Option("--load-timeout", help="How long the copy may take.")] = "2h",
    wait_timeout: opt.WaitTimeout = "15m",
) -> None:
    """Show the plan, ask, apply it, and wait until the model serves from the claim. A second run continues the first."""
    command = _command()
    typed = command.Typed(
        name, namespace, claim, path, new_name, in_place, source, size, storage_class, access_mode, runtime, runtime_from,
        loader_image, loader_user, artifact_size, expected_digest,
    )  # fmt: skip
    command.apply(typed, sink=sink, yes=yes, load_timeout=load_timeout, wait_timeout=wait_timeout)


@admin_app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Models, as NAME or NAMESPACE/NAME. Default: all of the namespace."),
    ] = None,
    *,
    namespace: opt.Namespace = None,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="The models of every namespace.")
    ] = False,
    kind: opt.KindName = None,
    wait: Annotated[
        str | None,
        typer.Option(
            "--wait", help="Look again for up to this long (10m) until nothing differs, starts or is in error."
        ),
    ] = None,
    predict: Annotated[
        bool,
        typer.Option(
            "--predict",
            help="Also send each model's smoke test (annotation modelswitch.dev/smoke-test or ConfigMap modelswitch-smoke-test-NAME: payload, "
            "path, expect) to its own pods. It costs the model the work of one prediction a pod.",
        ),
    ] = False,
    predict_timeout: Annotated[str, typer.Option("--predict-timeout", help="How long a prediction may take.")] = "10s",
    probes: Annotated[
        bool,
        typer.Option(
            "--probes",
            help="Print what to add to runtimes of models that answer, too: a probe that tells, a preStop hook.",
        ),
    ] = False,
    ask: Annotated[
        str | None,
        typer.Option(
            "--ask",
            envvar="PROBE",
            help="Ask pods directly (pods) or through the API server (apiserver). Default: pods in the cluster, else apiserver.",
        ),
    ] = None,
    installation: Annotated[
        str,
        typer.Option(
            "--installation",
            envvar="MODELSWITCH_INSTALLATION",
            help="The namespace that modelswitch is installed in: its admission policy guards the annotations of stopped models.",
        ),
    ] = "modelswitch",
    json: opt.Json = False,
) -> None:
    """Show what KServe, the pods and a prediction say of models. Exit code 1: KServe says Ready, and they do not."""
    try:
        from functions.admin.verify import command
    except ModuleNotFoundError as error:
        following = "pip install 'modelswitch[functions]'"
        said = f"`modelswitch verify` talks to the cluster, and {error.name} is not installed"
        raise CliError(Exit.USAGE, said, following) from error
    selection = opt.Selection(tuple(names or ()), namespace, kind)
    command.verify(
        command.Typed(selection, all_namespaces, wait, predict, predict_timeout, probes, ask, json, installation)
    )
