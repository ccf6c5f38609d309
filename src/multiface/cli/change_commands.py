"""`people changes`, `people undo`, `people split`: what was done to a gallery, and back."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiface.cli import options
from multiface.cli.console import Speaker, counted
from multiface.cli.gallery_place import opened_gallery

if TYPE_CHECKING:
    from multiface.gallery import Change


def list_changes(
    who: Annotated[
        str | None, typer.Argument(help="A person's name or id (default: everybody).", show_default=False)
    ] = None,
    most: Annotated[int, typer.Option("--most", help="At most so many, the newest first.", min=1)] = 100,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """What was done to the people of a gallery in the last 30 days, newest first."""
    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        found = opened.changes(who, most)
        names = {person.id: person.name for person in opened.people()}
    for one in found:
        undone = f"  (undone {one.undone})" if one.undone else ""
        speaker.result(f"{one.id:5}  {one.made}  {described(one, names)}{undone}")
    if any(one.can_be_undone for one in found):
        speaker.note("`multiface people undo NUMBER` undoes a change")
    speaker.document({"changes": [change_document(one) for one in found]})


def undo_change(
    number: Annotated[
        int,
        typer.Argument(help="The number of a change, as `people changes` lists them.", show_default=False),
    ],
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Undo a change; removing a person is final."""
    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        names = {person.id: person.name for person in opened.people()}
        undone = opened.undo(number)
    speaker.result(f"undone: {described(undone, names)}")
    speaker.document({"undone": undone.id, "kind": undone.kind, "people": list(undone.people)})


def split_person(
    who: Annotated[str, typer.Argument(help="A person's name, or the id.", show_default=False)],
    name: Annotated[str, typer.Argument(help="The person's name, new or known.", show_default=False)],
    templates: Annotated[
        list[int],
        typer.Argument(help="Numbers of templates, as `people show` lists them.", show_default=False),
    ],
    another: options.Another = False,
    gallery: options.GalleryFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = None,
) -> None:
    """Give some of a person's templates to somebody else."""
    speaker = Speaker(as_json, quiet)
    with opened_gallery(gallery) as opened:
        person = opened.person(who)
        other = opened.split(person.id, templates, name, another=another)
    moved = counted(len(set(templates)), "template")
    speaker.result(f"{other.name} has {moved} of {person.name} ({other.id})")
    speaker.document(
        {"person": person.id, "to": other.id, "name": other.name, "templates": sorted(set(templates))}
    )


def described(change: "Change", names: dict[str, str]) -> str:
    """A change in words. names: of the people who are in the gallery now, by id."""
    facts = change.facts

    def name(person: str) -> str:
        return names.get(person, person)

    match change.kind:
        case "enrol":
            people = ", ".join(name(person) for person in change.people[:5])
            more = f" and {len(change.people) - 5} more" if len(change.people) > 5 else ""
            return f"enrol {people}{more}: {counted(len(facts['templates']), 'template')}"
        case "rename":
            return f"rename {facts['old']} to {facts['new']}"
        case "edit":
            what = [
                word.replace("_", " ") for word in facts["old"] if facts["old"][word] != facts["new"][word]
            ]
            return f"edit {name(facts['person'])}: {', '.join(what)}"
        case "merge":
            moved = counted(len(facts["templates"]), "template")
            return f"merge {facts['from']['name']} into {name(facts['into'])}: {moved}"
        case "split":
            moved = counted(len(facts["templates"]), "template")
            return f"split {name(facts['person'])}: {moved} to {name(facts['to'])}"
        case "name":
            return f"name stranger {facts['stranger']['row'][0]}: {', '.join(map(name, change.people))}"
        case "reembed":
            dropped = f", {counted(len(facts['dropped']), 'template')} dropped" if facts["dropped"] else ""
            return (
                f"reembed with {facts['new']['weights']}: {counted(facts['templates'], 'template')}{dropped}"
            )
        case "album":
            did = {"not": "is not", "mark": "drawn"}.get(facts["did"], facts["did"])
            whom = ", ".join(map(name, change.people))
            return f"album: {did} {whom}".rstrip() + f": {counted(len(facts['faces']), 'face')}"
        case "undo":
            return f"undo change {facts['change']}"
        case other:
            return other


def change_document(change: "Change") -> dict[str, Any]:
    """A change as the document of `people changes` has it."""
    return {
        "change": change.id,
        "made": change.made,
        "kind": change.kind,
        "people": list(change.people),
        "facts": change.facts,
        "undone": change.undone,
        "can_be_undone": change.can_be_undone,
    }
