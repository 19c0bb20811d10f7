"""What a tuning searches: settings of training, and those of a method that are marked for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from negsample.errors import InputError
from negsample.methods.fields import Among, Around, OneOf, Proposed, Real, Selected, Space, Whole
from negsample.settings import Settings

OF_TRAINING: Mapping[str, Space] = {
    "learning_rate": Real(1e-4, 1e-2),
    "batch_size": OneOf((64, 128, 256, 512)),
}
"""Searched for every method: the paper's ranges (its published settings lie between 1e-4 and 1e-2, 64 and 256)."""


def space_of(model: type[Settings]) -> dict[str, Space]:
    """What is searched for a method with settings of this ``model``: where a range is given or a mark stands.

    A setting whose default is no number (``in_batch_negatives="all"``) is left as it is. What is selected comes after
    what is proposed, so that one can be drawn within the other (:func:`narrowed`).
    """
    space, proposed, selected = dict(OF_TRAINING), [], {}
    for name, field in model.model_fields.items():
        for each in field.metadata:
            if isinstance(each, Proposed):
                proposed.append(name)
            elif isinstance(each, Selected):
                selected[name] = each.leaves
            if isinstance(each, Space):
                space[name] = each
            elif isinstance(each, Around | Proposed | Selected) and isinstance(field.default, int):
                space.setdefault(name, Whole(max(1, field.default // 20), 5 * field.default))
    among = Among(tuple(proposed), tuple(selected.items()))
    for name in (*proposed, *selected):
        found = space.get(name)
        if isinstance(found, Whole):
            space[name] = found._replace(among=among)
    return dict(sorted(space.items(), key=lambda each: each[0] in selected))


def narrowed(name: str, spaces: Mapping[str, Space], known: Mapping[str, Any]) -> Space:
    """The part of a setting's range that leaves a method what it is, beside what is known of the others.

    A method that selects selects fewer than are proposed (``kept_hardest``, ``picked_from``; ``resampled``, drawn with
    replacement, at most as many): else it would be another method under its name.

    ``spaces``: of all that is searched, from :func:`space_of`, ``name`` among them. ``known``: settings that are given,
    and those of ``spaces`` that were drawn before this one.

    Raises:
        InputError: nothing is left of it.
    """
    space = spaces[name]
    if not isinstance(space, Whole) or space.among is None:
        return space
    low, high, (proposed, selected) = space.low, space.high, space.among
    ends = {key: (each.low, each.high) for key, each in spaces.items() if isinstance(each, Whole)}
    ends |= {key: (value, value) for key, value in known.items() if isinstance(value, int)}
    if any(key not in ends for key in proposed):  # as many as the batch has
        return Whole(low, high)
    for selects, leaves in selected:
        if name == selects:
            high = min(high, sum(ends[key][1] for key in proposed) - leaves)
        elif name in proposed:
            others = sum(ends[key][1] for key in proposed if key != name)
            low = max(low, ends[selects][0] + leaves - others)
    if low > high:
        given = ", ".join(f"{key}={known[key]}" for key in (*proposed, *dict(selected)) if key in known)
        raise InputError(
            f"no {name} from {space} leaves a choice among what is proposed, with {given}; give {name} by --set, or "
            "other numbers"
        )
    return Whole(low, high)
