"""What a reader should know first, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator

from icecore.reporting import words
from icecore.reporting.figures import OWN
from icecore.reporting.parts import Finding, Part

_CLOSE = 0.03
_RARE = 3


def findings(part: Part, noun: str) -> tuple[Finding, ...]:
    """At most six, the most telling first."""
    every = [
        *_baselines(part),
        *_confusion(part),
        *_apart(part),
        *_labels(part),
        *_twice(part),
        *_trust(part),
        *_more(part),
    ]
    return tuple(every[:6]) if noun else ()


def headline(part: Part, noun: str) -> tuple[str, str]:
    """The large figure and the sentence under it; empty where nothing was measured."""
    figures = part.figures
    if figures.value is None or figures.headline is None:
        return "", ""
    low, high = figures.value.low, figures.value.high
    if figures.headline == "accuracy":
        seen = f"{noun} that the model had not seen get their right label."
        return words.of_hundred(figures.value.value), f"{seen} On new ones like these, expect {_between(low, high)}."
    meaning = words.MEANINGS.get(figures.headline, "higher is better")
    said = f"{words.metric(figures.headline)}: {meaning}. On new {noun} like these, expect {low:.2f} to {high:.2f}."
    return f"{figures.value.value:.2f}", said


def _between(low: float, high: float) -> str:
    one, other = words.percent(low), words.percent(high)
    return one if one == other else f"{one[:-2]} to {other}"


def _baselines(part: Part) -> Iterator[Finding]:
    lines = {line.name: line.figure for line in part.figures.lines}
    own = lines.get(OWN)
    common, raw = lines.get("most common class"), lines.get("raw input")
    if own is None or not part.figures.share:
        return
    if common is not None and own.low <= common.high:
        yield Finding(
            "It may have learned nothing.", f"Always saying the most common class is right {_times(common.value)}."
        )
    elif common is not None:
        yield Finding(
            "It has learned something.", f"Always saying the most common class would be right {_times(common.value)}."
        )
    if raw is not None and common is not None and own.low > common.high:
        if own.low > raw.high:
            yield Finding("The pretrained network pays.", f"The same head without it is right {_times(raw.value)}.")
        else:
            yield Finding(
                "The pretrained network adds little.", f"The same head without it is right {_times(raw.value)}."
            )


def _times(share: float) -> str:
    return f"for {words.of_hundred(share)}"


def _confusion(part: Part) -> Iterator[Finding]:
    own = part.confusion
    if own is None:
        return
    if not own.pairs:
        yield Finding("It mixes up nothing", "among the scored items.")
        return
    worst = own.pairs[0]
    true, called = own.names[worst.true], own.names[worst.called]
    yield Finding(
        "Mixed up most:",
        f"{true} called {called}, {words.count(worst.count, 'time')}, {words.percent(worst.share)} of its class.",
        "confusion",
    )
    hardest = own.classes[0]
    if len(own.names) > 2 and hardest.found is not None and hardest.items >= _RARE:
        share = words.percent(hardest.found.value)
        said = f"{hardest.name}; {share} of its {words.count(hardest.items, 'item')} are found."
        yield Finding("Hardest class:", said, "confusion")


def _apart(part: Part) -> Iterator[Finding]:
    if part.apart:
        yield Finding("One class lies apart:", part.apart)


def _labels(part: Part) -> Iterator[Finding]:
    for gallery in part.galleries:
        if gallery.id == "suspects":
            number = gallery.total
            yield Finding(
                words.count(number, "label") + (" looks" if number == 1 else " look") + " wrong.",
                "Worth a look before anything else.",
                "suspects",
            )


def _twice(part: Part) -> Iterator[Finding]:
    own = part.duplicates
    if own is None:
        return
    if own.tagged:
        yield Finding(
            words.count(own.tagged, "leak") + " between splits:",
            "near copies stand on both sides, which flatters the figure.",
            "duplicates",
        )
    else:
        yield Finding(
            words.count(own.total, "set") + " of near copies.", "Each belongs on one side of any split.", "duplicates"
        )


def _trust(part: Part) -> Iterator[Finding]:
    own = part.reliability
    if own is None:
        return
    if abs(own.gap) < _CLOSE:
        yield Finding(
            "Its confidence can be trusted:", "it is about as often right as it says.", "reliability", "See how"
        )
    else:
        way = "too sure of itself" if own.gap > 0 else "too modest"
        yield Finding(f"It is {way},", f"by {words.percent(abs(own.gap))} on average.", "reliability", "See how")


def _more(part: Part) -> Iterator[Finding]:
    own = part.curve
    if own is None:
        return
    ahead = [point for point in own.points if point.forecast]
    if ahead:
        last = ahead[-1]
        yield Finding(
            "More labels:",
            f"{last.items:,} would bring {_between(last.figure.low, last.figure.high)}, if it goes on as it went.",
            "curve",
        )
