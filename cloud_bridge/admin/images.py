"""How old the files are that machines are made of, and which should be made anew. Pure."""

from dataclasses import dataclass

from cloud_bridge.admin.facts import Facts, ImageFile
from cloud_bridge.admin.say import Say

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class ImageView:
    """The files of one template. old: older than its operator wants them; since: wall seconds."""

    template: str
    tone: str
    icon: str
    word: str
    age: str
    made: str
    old: bool
    missing: bool
    limit: str
    since: float


def images_view(facts: Facts, say: Say) -> tuple[ImageView, ...]:
    """Return what stands beside each template, what needs a person first."""
    views = [_view(one, say) for one in facts.images]
    return tuple(sorted(views, key=lambda one: (not one.missing, not one.old, one.template)))


def _view(one: ImageFile, say: Say) -> ImageView:
    missing = not one.made
    old = not missing and 0 < one.old_days * DAY_S < say.now - one.made
    if missing:
        tone, icon, word = "poor", "error", "Missing"
    elif old:
        tone, icon, word = "fair", "clock", "Old"
    else:
        tone, icon, word = "ok", "check", "Fresh" if one.old_days else "There"
    return ImageView(
        one.template,
        tone,
        icon,
        word,
        say.age(one.made),
        say.moment(one.made),
        old,
        missing,
        f"{one.old_days} days" if one.old_days else "any age",
        one.made,
    )
