"""`icecore fit`: a small model on frozen features, with an honest figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from icecore.cli import options
from icecore.cli.output import aside, bars, bytes_of, print_json, say, set_aside
from icecore.cli.tables import doubtful, figures, learned
from icecore.errors import UsageError

_CALIBRATED = {"temperature": "temperature scaling", "isotonic": "isotonic regression for each class"}
_LIKE = {"image": "PHOTO.jpg", "sound": "SOUND.wav", "text": "'a text like those'", "image+text": "PAIRS.csv"}


def fit(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled data: class folders or a table.")],
    backbone: options.BackboneOrBundled = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the finished model, for instance flowers.icecore.")
    ] = None,
    head: Annotated[
        str,
        typer.Option(
            help="auto, logistic, ridge, svm, svm-rbf, knn, centroid, lda, mlp, mlp:256,relu,dropout0.3, ...; over all "
            "layers at once head2toe, layer-sum."
        ),
    ] = "auto",
    layer: options.Layers = None,
    pooling: options.Poolings = None,
    balanced: Annotated[bool, typer.Option("--balanced", help="Let every class count the same, however rare.")] = False,
    folds: Annotated[int, typer.Option(min=2, help="Folds of the evaluation, where no split is given.")] = 5,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Times that the folds are drawn anew. By default more for small data.")
    ] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Try an ensemble of all that was tried; keep it where that pays.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of folds and training.")] = 0,
    include_backbone: Annotated[
        bool, typer.Option("--include-backbone", help="Put the network into the model's folder, to be whole anywhere.")
    ] = False,
    evidence: Annotated[
        bool,
        typer.Option(
            "--evidence/--no-evidence",
            help="Keep names, labels and unseen predictions of the items beside the model, for reports.",
        ),
    ] = True,
    group: Annotated[
        str | None,
        typer.Option(help="Column whose rows of one value stay together in every split: a patient, a session."),
    ] = None,
    calibrate: Annotated[
        str, typer.Option(help="Calibration of probabilities: auto (by cross-validation), temperature, isotonic, none.")
    ] = "auto",
    learning_curve: Annotated[
        bool, typer.Option("--learning-curve", help="Also say what twice the labels would bring.")
    ] = False,
    json: options.Json = False,
    target: options.Target = None,
    task: options.Tasks = None,
    order: options.Orders = None,
    input_col: options.InputCol = None,
    preprocess: options.Preprocess = None,
    device: options.Device = "auto",
    precision: options.Precision = "float32",
    engine: options.Engine = "auto",
    batch_size: options.BatchSize = 32,
    workers: options.Workers = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="What features may take, 2G: larger ones stay in the store. By default half of what is free."
        ),
    ] = None,
    store: options.StoreDir = None,
    strict: options.Strict = False,
    require_licence: options.RequireLicence = None,
    trust_remote_code: options.TrustRemoteCode = False,
) -> None:
    """Fit a small model on frozen features of a pretrained network and say how good it is."""
    from icecore import api

    model = api.fit(
        data, backbone=_only(backbone), out=out, head=head, layers=layer, pooling=pooling or "mean",
        class_weight="balanced" if balanced else None, folds=folds, repeats=repeats, ensemble=ensemble, seed=seed,
        include_backbone=include_backbone, evidence=evidence, group=group, calibrate=calibrate,
        learning_curve=learning_curve, target=target, task=task, order=order,
        input_col=input_col, preprocess=preprocess, device=device, precision=precision, engine=engine,
        batch_size=batch_size, workers=workers, memory=None if memory is None else bytes_of(memory),
        store=store, strict=strict, require_licence=require_licence, trust_remote_code=trust_remote_code,
        progress=not json,
    )  # fmt: skip
    if json:
        print_json(model.report.to_json())
    else:
        show(model, out)


def _only(backbones: list[str] | None) -> str | None:
    """The network that was named, if any. Raises UsageError for several, of which a shell would take the last."""
    if backbones and len(backbones) > 1:
        raise UsageError(
            f"Got {len(backbones)} networks: {', '.join(backbones)}.",
            expected="One; a model is fitted on one network.",
            do="`icecore rank` says which is best; `icecore ensemble` joins models that were fitted on each.",
        )
    return backbones[0] if backbones else None


def show(model: Any, out: Path | None, beside: Mapping[str, Any] | None = None) -> None:
    """The report of a fit, for people; `beside` holds figures of other models for the table."""
    report = model.report
    for note in (*report.notes, *model.warnings):
        aside(f"Note: {note}")
    set_aside(report.bad_json())
    spent = report.extraction
    say(f"{report.items:,} items, {report.bad_items} set aside")
    say(f"features: {spent.computed:,} computed, {spent.reused:,} reused, {spent.seconds:.1f} s")
    for target in report.targets:
        say("", f"{target.name}: {target.described}", f"head: {target.head}, on {target.layer_title}")
        say(target.chosen_because)
        _show_ensemble(target.ensemble)
        if len(target.by_layer) > 1:
            say("", f"cross-validated {target.score} of the best head by layer:")
            bars(target.by_layer)
        say("")
        figures({"this model": target.metrics, **(beside or {}), **target.baselines})
        say(f"95 % intervals; {target.evaluation}")
        if target.calibration != "none":
            say(f"probabilities are calibrated by {_CALIBRATED[target.calibration]}")
        if target.learning_curve is not None:
            learned(target.learning_curve)
        doubtful(report.suspects.get(target.name, ()))
        if target.interval is not None:
            say(f"95 % of new values lie within {target.interval:.4g} of what it says")
    if out is not None:
        say("", f"Saved {out}. Try: icecore predict {out} {_LIKE.get(model.net.modality, 'FILE')}")
    else:
        say("", "Not saved; name a folder with --out to keep the model.")


def _show_ensemble(ensemble: Any) -> None:
    """The heads that it is made of, and what they cost."""
    if ensemble is None or not ensemble.members:
        return
    say("", f"the ensemble, {'adopted' if ensemble.adopted else 'not adopted'}:")
    for head, share in ensemble.members:
        say(f"{share:.2f}  {head}")
    seconds = ensemble.seconds
    say(
        f"accuracy, ensemble minus single head: {ensemble.gain}; heads take {seconds['ensemble']:.2f} s for a thousand "
        f"items, the single one {seconds['single']:.2f} s"
    )
