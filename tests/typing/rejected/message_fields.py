"""Mistakes with generated messages that type checkers find."""

from __future__ import annotations

from generated.typed import awkward_names_pb2, classic_pb2, edition_2023_pb2, modern_pb2
from generated.typed.modern_pb2 import Material, Thing

print(modern_pb2.Old())  # E: mypy[deprecated] pyright[reportDeprecated]


def wrong(thing: Thing, classic: classic_pb2.Classic) -> None:
    thing.nmae = "x"  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    thing.name = 1  # E: mypy[assignment] pyright[reportAttributeAccessIssue]
    thing.name = None  # E: mypy[assignment] pyright[reportAttributeAccessIssue]
    thing.part = Thing.Part()  # E: mypy[misc] pyright[reportAttributeAccessIssue]
    thing.tags = ["a"]  # E: mypy[assignment,misc] pyright[reportAttributeAccessIssue]
    thing.tags.append(1)  # E: mypy[arg-type] pyright[reportArgumentType]
    thing.material = 1  # E: mypy[assignment] pyright[reportAttributeAccessIssue]
    thing.material = Thing.RED  # E: mypy[assignment] pyright[reportAttributeAccessIssue]
    thing.materials.append(2)  # E: mypy[arg-type] pyright[reportArgumentType]
    thing.made = 1.5  # E: mypy[assignment] pyright[reportAttributeAccessIssue]
    thing.HasField("name")  # E: mypy[arg-type] pyright[reportArgumentType]
    thing.HasField("nonsense")  # E: mypy[arg-type] pyright[reportArgumentType]
    thing.ClearField("nonsense")  # E: mypy[arg-type] pyright[reportArgumentType]
    thing.WhichOneof("nonsense")  # E: mypy[call-overload] pyright[reportCallIssue,reportArgumentType]
    modern_pb2.Nothing().HasField("x")  # E: mypy[arg-type] pyright[reportArgumentType]
    edition_2023_pb2.Mixed().HasField("implicit")  # E: mypy[arg-type] pyright[reportArgumentType]
    Thing("table")  # E: mypy[call-arg] pyright[reportCallIssue]
    Thing(nmae="x")  # E: mypy[call-arg] pyright[reportCallIssue]
    Thing(name=b"x")  # E: mypy[arg-type] pyright[reportArgumentType]
    Thing(part=Thing())  # E: mypy[arg-type] pyright[reportArgumentType]
    Thing(by_number={"1": Thing.Part()})  # E: mypy[dict-item] pyright[reportArgumentType]
    awkward_names_pb2.Keywords(plane=True)  # E: mypy[call-arg] pyright[reportCallIssue]
    Material.Name("WOOD")  # E: mypy[arg-type] pyright[reportArgumentType]
    print(Material.IRON)  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    classic.Extensions[classic_pb2.number] = "x"  # E: mypy[misc] pyright[reportArgumentType]
    thing.Extensions[classic_pb2.number]  # E: mypy[index] pyright[reportArgumentType]
    if thing.WhichOneof("choice") == "nonsense":  # E: mypy[comparison-overlap] pyright[reportUnnecessaryComparison]
        print()
    thing.old_name = ""  # E: mypy[deprecated] pyright[reportDeprecated]
    print(thing.old_part)  # E: mypy[deprecated] pyright[reportDeprecated]


class Derived(Thing):  # E: mypy[misc] pyright[reportGeneralTypeIssues]
    pass
