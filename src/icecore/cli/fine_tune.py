"""`icecore fine-tune`: train the last blocks of a model's network, and adopt them where that pays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from icecore.cli import options
from icecore.cli.output import aside, bytes_of, print_json, say, set_aside
from icecore.cli.tables import figures


def fine_tune(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model made by `icecore fit`.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Labelled data: class folders or a table.")],
    unfreeze: Annotated[
        str, typer.Option(help="How many of the last blocks are trained; a layer, with which it begins; or all.")
    ] = "2",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the adopted model. By default it takes the place of MODEL.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training rows, at most; 0 for pairs alone.")] = 20,
    learning_rate: Annotated[float, typer.Option(help="Of AdamW for the last block and the head, at its peak.")] = 3e-4,
    layer_decay: Annotated[float, typer.Option(help="Factor of the rate from one block to the one below.")] = 0.75,
    weight_decay: Annotated[float, typer.Option(help="Of AdamW.")] = 0.05,
    warmup: Annotated[float, typer.Option(help="Share of the steps in which the rate rises; then a cosine.")] = 0.1,
    gradual: Annotated[bool, typer.Option("--gradual", help="Begin with the last block; the cut moves down.")] = False,
    label_smoothing: Annotated[float, typer.Option(help="Part of a target that is spread over all classes.")] = 0.1,
    mixup: Annotated[float, typer.Option(help="Alpha of the mixing of two boundaries; 0 for none.")] = 0.2,
    views: Annotated[int, typer.Option(help="Augmented views of each image or sound, itself included.")] = 1,
    dropout: Annotated[float | None, typer.Option(help="Of the unfrozen part. By default the network's own.")] = None,
    patience: Annotated[int, typer.Option(help="Epochs without gain that stop it; 0: none, no rows are held out.")] = 5,
    average: Annotated[float, typer.Option(help="Decay of the moving average of weights; 0 for none.")] = 0.99,
    train_norm: Annotated[bool, typer.Option("--train-norm", help="Batch norm follows the batches.")] = False,
    balanced: Annotated[bool, typer.Option("--balanced", help="Let every class count the same, however rare.")] = False,
    target_weight: Annotated[
        list[str] | None,
        typer.Option(metavar="TARGET=WEIGHT", help="How much a target's loss counts beside others. May be repeated."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Items a step.")] = 32,
    accumulate: Annotated[int, typer.Option(help="Batches whose gradients make one step.")] = 1,
    precision: Annotated[str, typer.Option(help="auto, float32, bfloat16.")] = "auto",
    lora: Annotated[int, typer.Option(help="Rank of low-rank adapters to train instead of the weights.")] = 0,
    contrastive: Annotated[int, typer.Option(help="Partners an item in a contrastive phase before the head.")] = 0,
    store_limit: Annotated[
        str | None, typer.Option(metavar="SIZE", help="What boundaries may take on the disk, such as 20G.")
    ] = None,
    folds: Annotated[int | None, typer.Option(min=1, help="Of the comparison; 1 holds a quarter out.")] = None,
    search: Annotated[
        int, typer.Option(min=0, help="Settings to try first (needs the extra optuna); run again to go on.")
    ] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the tuned model even where it is no better.")] = False,
    seed: Annotated[int, typer.Option(help="Of folds and training.")] = 0,
    include_backbone: Annotated[
        bool, typer.Option("--include-backbone", help="Put the network into the model's folder, to be whole anywhere.")
    ] = False,
    json: options.Json = False,
    backbone: options.OtherBackbone = None,
    target: options.Target = None,
    input_col: options.InputCol = None,
    device: options.Device = "auto",
    engine: options.Engine = "auto",
    workers: options.Workers = None,
    store: options.StoreDir = None,
    strict: options.Strict = False,
    require_licence: options.RequireLicence = None,
    trust_remote_code: options.TrustRemoteCode = False,
) -> None:
    """Train the last blocks of a model's network from stored boundaries; adopt them where that is clearly better."""
    from icecore import api

    loaded = api.TransferModel.load(
        model, backbone=backbone, device=device, engine=engine, store=store, require_licence=require_licence,
        trust_remote_code=trust_remote_code,
    )  # fmt: skip
    report = api.fine_tune(
        loaded, data, out=out or model, include_backbone=include_backbone,
        unfreeze=int(unfreeze) if unfreeze.isdecimal() else unfreeze, epochs=epochs, learning_rate=learning_rate,
        layer_decay=layer_decay, weight_decay=weight_decay, warmup=warmup, gradual=gradual,
        label_smoothing=label_smoothing, mixup=mixup, views=views, dropout=dropout, patience=patience, average=average,
        train_norm=train_norm, class_weight="balanced" if balanced else None,
        target_weight=target_weight, batch_size=batch_size,
        accumulate=accumulate, precision=precision, lora=lora, contrastive=contrastive,
        store_limit=None if store_limit is None else bytes_of(store_limit), folds=folds, search=search, keep=keep,
        seed=seed, target=target, input_col=input_col, workers=workers, strict=strict, progress=not json,
    )  # fmt: skip
    report.model = report.model or model
    if not report.leads:
        return
    if json:
        for note in report.notes:  # of which there is no place in the object
            aside(f"Note: {note}")
        print_json(report.to_json())
    else:
        _show(report, loaded)


def _show(report: Any, loaded: Any) -> None:
    for note in loaded.warnings:
        aside(f"Note: {note}")
    set_aside(report.bad_json())
    spent = report.seconds
    _show_search(report.search)
    kept = f"{report.epochs} epoch{'s' * (report.epochs != 1)} kept"
    say(f"{report.items:,} items; trained {', '.join(report.unfrozen)} and what follows; {kept}")
    say(
        f"frozen part {spent['prefix']:.1f} s, training {spent['suffix']:.1f} s, evaluation {spent['evaluation']:.1f} s"
    )
    for name, tuned, frozen in zip(report.targets, report.metrics, report.frozen_metrics, strict=True):
        say("", *([f"{name}:"] if len(report.targets) > 1 else []))
        figures({"fine-tuned": tuned, "frozen": frozen})
    say(f"95 % intervals; {report.compared}", "", f"{report.score}, fine-tuned minus frozen: {report.difference}")
    say(_verdict(report))


def _verdict(report: Any) -> str:
    if not report.adopted:
        return "The tuned network is not better beyond doubt, so the frozen model stays as it is (--keep overrides)."
    reason = "as was asked for" if report.kept else "it is better beyond the interval"
    return f"The tuned network was adopted: {reason}. Saved {report.model}."


def _show_search(found: Any) -> None:
    if found is None:
        return
    given = "" if found.given_loss is None else f", {found.given_loss:.4f} as given"
    chosen = ", ".join(f"{name} {value:.3g}" for name, value in found.chosen.items())
    earlier = f", {found.earlier} of them earlier" if found.earlier else ""
    say(f"searched: {found.trials} trials{earlier}, {found.pruned} given up, in {found.seconds:.1f} s")
    say(f"best held-out loss {found.loss:.4f}{given}: {chosen}", "")
