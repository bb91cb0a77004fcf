"""Compares each `NAME_pb2.pyi` below the current folder with the module that it is about, name by name.

What Python cannot write is the exception: it is not in the stub, and reached otherwise.
"""

import ast
import importlib
import keyword
import sys
from pathlib import Path

from google.protobuf.descriptor import FieldDescriptor


def sayable(name):
    return not keyword.iskeyword(name) and not name.startswith("__")


def literals(annotation):
    """The strings in `Literal[...]`, which come as bytes too; none for `Never`."""
    found = [node.value for node in ast.walk(annotation) if isinstance(node, ast.Constant)]
    strings = {value for value in found if isinstance(value, str)}
    assert {value.decode() for value in found if isinstance(value, bytes)} == strings
    return strings


def declared(body):
    """The public names of a module or class body, with what declares each."""
    names = {}
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            names.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.AnnAssign):
            names.setdefault(node.target.id, []).append(node)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.asname == alias.name:
                    names.setdefault(alias.name, []).append(node)
    return names


def accepted(call, names):
    """Those of some names that a method takes."""
    taken = set()
    for name in names:
        try:
            call(name)
        except ValueError:
            continue
        taken.add(name)
    return taken


def check_enum(wrapper, node, body):
    kind = next(
        each
        for each in body
        if isinstance(each, ast.ClassDef) and each.name == f"_type_{node.name}"
    )
    shadowed = {"Name", "Value", "keys", "values", "items", "DESCRIPTOR", "ValueType"}
    expected = {name for name in wrapper.DESCRIPTOR.values_by_name if sayable(name)} - shadowed
    assert set(declared(kind.body)) == expected, (node.name, expected)
    for name in expected:
        assert getattr(wrapper, name) == wrapper.Value(name)


def check_fields(cls, names, methods):
    descriptor = cls.DESCRIPTOR
    fields = descriptor.fields_by_name
    groups = set(descriptor.oneofs_by_name)
    every = {*fields, *groups}
    for method, known in (
        ("HasField", accepted(lambda name: cls.HasField(cls(), name), every)),
        ("ClearField", accepted(lambda name: cls.ClearField(cls(), name), every)),
        ("WhichOneof", accepted(lambda name: cls.WhichOneof(cls(), name), every)),
    ):
        if method in fields:
            continue
        said = set()
        for function in methods[method]:
            said |= literals(function.args.args[1].annotation)
        assert said == known, (descriptor.full_name, method, said ^ known)
    for name in fields:
        assert (name in names) == sayable(name), (descriptor.full_name, name)
        if sayable(name):
            check_writable(cls, fields[name], names[name])
    if "__init__" in fields:
        return
    (constructor,) = methods["__init__"]
    assert {each.arg for each in constructor.args.kwonlyargs} == set(filter(sayable, fields))
    assert (constructor.args.kwarg is not None) == any(not sayable(name) for name in fields)


def check_writable(cls, field, nodes):
    """A property without a setter stands for what cannot be assigned."""
    setter = isinstance(nodes[0], ast.AnnAssign) or len(nodes) == 2
    value = getattr(cls(), field.name)
    if field.type == FieldDescriptor.TYPE_ENUM and not field.is_repeated:
        assert setter
        setattr(cls(), field.name, field.enum_type.values[0].name)
        return
    well_known = ("Timestamp", "Duration", "Struct", "ListValue")
    if field.message_type and field.message_type.full_name in [
        f"google.protobuf.{name}" for name in well_known
    ]:
        assert setter != field.is_repeated
        return
    try:
        setattr(cls(), field.name, value)
    except AttributeError:
        assert not setter, field.full_name
    else:
        assert setter, field.full_name


def check_message(cls, node):
    descriptor = cls.DESCRIPTOR
    names = declared(node.body)
    methods = {
        name: [each for each in nodes if isinstance(each, ast.FunctionDef)]
        for name, nodes in names.items()
    }
    check_fields(cls, names, methods)
    plain = {name for name in names if not name.startswith("_")}
    known = set(descriptor.fields_by_name)
    for name in plain - known:
        assert hasattr(cls, name), (descriptor.full_name, name)
    for name in names:
        if name.endswith("_FIELD_NUMBER") and isinstance(names[name][0].value, ast.Constant):
            assert getattr(cls, name) == names[name][0].value.value
    public = {name for name in vars(cls) if sayable(name) and not name.startswith("_")}
    dynamic = {
        *(nested.name for nested in descriptor.nested_types),
        *(enum.name for enum in descriptor.enum_types),
        *descriptor.enum_values_by_name,
        *descriptor.extensions_by_name,
        *(f"{name.upper()}_FIELD_NUMBER" for name in descriptor.fields_by_name),
        "DESCRIPTOR",
    }
    missing = {name for name in public | dynamic if sayable(name)} - set(names)
    assert not missing, (descriptor.full_name, missing)
    check_classes(cls, descriptor, node.body)


def check_classes(holder, descriptor, body):
    for node in body:
        if not isinstance(node, ast.ClassDef):
            continue
        name = node.name.removeprefix("_class_")
        if name in descriptor_messages(descriptor):
            check_message(getattr(holder, name), node)
        elif not name.startswith("_"):
            check_enum(getattr(holder, name), node, body)


def descriptor_messages(descriptor):
    messages = getattr(descriptor, "nested_types_by_name", None)
    return descriptor.message_types_by_name if messages is None else messages


def check_module(module, body):
    names = declared(body)
    said = {name for name in names if not name.startswith("_")}
    # Modules that others import go by such names in them.
    there = {
        name
        for name in vars(module)
        if sayable(name) and not name.startswith("_") and not name.endswith("__pb2")
    }
    assert said == there - {"importlib"}, (module.__name__, said ^ there)
    check_classes(module, module.DESCRIPTOR, body)


def check_all(folder):
    """Check all stubs below a folder, whose modules have names from the current folder on."""
    paths = sorted(Path(folder).rglob("*_pb2.pyi"))
    for path in paths:
        name = path.with_suffix("").as_posix().replace("/", ".")
        body = ast.parse(path.read_text(encoding="utf-8")).body
        check_module(importlib.import_module(name), body)
    return len(paths)


if __name__ == "__main__":
    # As an argument: a folder in the current one.
    print(f"{check_all(*sys.argv[1:] or '.')} stubs say what is there")
