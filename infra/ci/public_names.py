"""Which public names of the packages no program, benchmark or documented example reaches, found in the source text.

Roots are the commands of every `pyproject.toml`, modules that run by themselves (`__main__`, scripts under `infra/` and
`benchmarks/`), and the Python examples of READMEs and documentation. From there uses are followed name by name:

- a name is resolved through the imports of its module, re-exports included; an import alone is not a use;
- `x.name` counts as a use of every method called `name`, since the type of `x` is not known here;
- a module that is imported runs its statements, and so registers what they decorate (`@app.command()`, Celery's tasks);
- a method that overrides one of a class from elsewhere (Lightning's hooks, `forward`) is called by that class.

Tests, and the examples in a name's own docstring, are not uses.

    python infra/ci/public_names.py
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Name = tuple[str, str]
"""A module and a top-level name in it, or `Class.method`."""
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Module:
    """What a module defines and imports, and what each definition uses."""

    name: str
    definitions: dict[str, list[ast.AST]] = field(default_factory=dict)
    imports: dict[str, Name] = field(default_factory=dict)
    statements: list[ast.AST] = field(default_factory=list)
    imported_modules: set[str] = field(default_factory=set)
    derived: set[str] = field(default_factory=set)


def modules_of(root: Path = ROOT) -> dict[str, Module]:
    """Every module of the packages and applications, by its dotted name."""
    found = {}
    for source in sorted((*root.glob("packages/*/src"), *root.glob("apps/*/src"))):
        for path in sorted(source.rglob("*.py")):
            parts = path.relative_to(source).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = parse(name, path.read_text(encoding="utf-8"))
    return found


def parse(name: str, text: str) -> Module:
    """A module from its text."""
    module, tree = Module(name), ast.parse(text)
    for node in _top_level(tree.body):
        if isinstance(node, _FUNCTION):
            module.definitions.setdefault(node.name, []).append(node)
            registered = any(isinstance(getattr(d, "func", d), ast.Attribute) for d in node.decorator_list)
            if registered or node.name.startswith("__"):  # a module's `__getattr__` is called by Python
                module.statements.append(ast.Name(node.name))
        elif isinstance(node, ast.ClassDef):
            _define_class(module, node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and (targets := _targets(node)):
            for target in targets:
                module.definitions.setdefault(target, []).append(node)
        else:
            module.statements.append(node)
    for found in ast.walk(tree):
        if isinstance(found, ast.ImportFrom) and found.module:
            module.imported_modules |= {found.module, *(f"{found.module}.{alias.name}" for alias in found.names)}
            module.imports |= {alias.asname or alias.name: (found.module, alias.name) for alias in found.names}
        elif isinstance(found, ast.Import):
            module.imported_modules |= {alias.name for alias in found.names}
            first = {alias.asname or alias.name.split(".")[0]: alias for alias in found.names}
            module.imports |= {k: (a.name if a.asname else k, "") for k, a in first.items()}
    return module


def _define_class(module: Module, node: ast.ClassDef) -> None:
    """Public methods are names of their own; everything else of a class is used with it."""
    if node.bases:
        module.derived.add(node.name)
    own: list[ast.AST] = [*node.bases, *(keyword.value for keyword in node.keywords), *node.decorator_list]
    for part in node.body:
        if isinstance(part, _FUNCTION) and not part.name.startswith("_"):
            module.definitions.setdefault(f"{node.name}.{part.name}", []).append(part)
        else:
            own.append(part)
    module.definitions.setdefault(node.name, []).extend(own)


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from _top_level(node.body)
            yield from _top_level(getattr(node, "orelse", []))
            for handler in getattr(node, "handlers", []):
                yield from _top_level(handler.body)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    flat = [t for target in targets for t in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [t.id for t in flat if isinstance(t, ast.Name) and t.id != "__all__"]


class Reach:
    """The names that are reached from the roots."""

    def __init__(self, modules: dict[str, Module]) -> None:
        self.modules = modules
        self.names: set[Name] = set()
        self.attributes: set[str] = set()
        self.run: set[str] = set()
        self._waiting: list[tuple[Module, ast.AST]] = []

    def add_module(self, name: str) -> None:
        """Run a module: its statements, those of what it imports, and of the packages it lies in."""
        for part in (name.rpartition(".")[0], name):
            if part not in self.modules or part in self.run:
                continue
            self.run.add(part)
            module = self.modules[part]
            self._waiting += [(module, node) for node in module.statements]
            for imported in sorted(module.imported_modules):
                self.add_module(imported)

    def add_script(self, text: str) -> None:
        """Everything that a script or an example uses."""
        module = parse("__script__", text)
        for imported in sorted(module.imported_modules):
            self.add_module(imported)
        nodes = [*module.statements, *(node for nodes in module.definitions.values() for node in nodes)]
        self._waiting += [(module, node) for node in nodes]

    def add(self, name: Name) -> None:
        """Reach one name, wherever it is defined."""
        module, attribute = name
        if module not in self.modules or name in self.names:
            return
        self.names.add(name)
        known = self.modules[module]
        if attribute in known.definitions:
            self.add_module(module)
            self._waiting += [(known, node) for node in known.definitions[attribute]]
        elif attribute in known.imports:
            self.add(known.imports[attribute])
        elif f"{module}.{attribute}" in self.modules:
            self.add_module(f"{module}.{attribute}")

    def follow(self) -> None:
        """Follow uses until nothing new is reached."""
        while True:
            while self._waiting:
                module, node = self._waiting.pop()
                self._use(module, node)
            methods = [name for name in self._methods() if name not in self.names]
            if not methods:
                return
            for name in methods:
                self.add(name)

    def _methods(self) -> list[Name]:
        """Methods of reached classes that are called by their name, or by a class from elsewhere."""
        return [
            (module.name, key)
            for module in self.modules.values()
            for key in module.definitions
            for owner, _, method in [key.partition(".")]
            if method
            and (module.name, owner) in self.names
            and (method in self.attributes or (owner in module.derived and self._overrides(module.name, owner, method)))
        ]

    def _use(self, module: Module, node: ast.AST) -> None:
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                if part.id in module.definitions:
                    self.add((module.name, part.id))
                elif part.id in module.imports and module.imports[part.id][1]:
                    self.add(module.imports[part.id])
            elif isinstance(part, ast.Attribute):
                self.attributes.add(part.attr)
                owner = self._module(module, part.value)
                if owner is not None:
                    self.add((owner, part.attr))
            elif isinstance(part, ast.Import | ast.ImportFrom):
                names = [a.name for a in part.names]
                below = [] if isinstance(part, ast.Import) else [part.module, *(f"{part.module}.{n}" for n in names)]
                for imported in below or names:
                    self.add_module(str(imported))

    def _module(self, module: Module, node: ast.expr) -> str | None:
        """The module of ours that an expression names."""
        if isinstance(node, ast.Name) and node.id in module.imports:
            owner, attribute = module.imports[node.id]
            name = f"{owner}.{attribute}" if attribute else owner
            if name not in self.modules and owner in self.modules and attribute in self.modules[owner].imports:
                owner, attribute = self.modules[owner].imports[attribute]
                name = f"{owner}.{attribute}"
            return name if name in self.modules else None
        if isinstance(node, ast.Attribute):
            owner = self._module(module, node.value)
            return f"{owner}.{node.attr}" if owner and f"{owner}.{node.attr}" in self.modules else None
        return None

    def _overrides(self, module: str, owner: str, method: str) -> bool:
        """Whether a base class that is not ours, or a protocol of ours, has this method."""
        cls = getattr(import_module(module), owner)
        ours = tuple(sorted({name.split(".")[0] for name in self.modules}))
        return any(
            method in vars(base) and (not base.__module__.startswith(ours) or getattr(base, "_is_protocol", False))
            for base in cls.__mro__[1:]
        )


def reach(root: Path = ROOT) -> Reach:
    """What programs, benchmarks and documented examples reach."""
    found = Reach(modules_of(root))
    for path in root.glob("*/*/pyproject.toml"):
        for target in tomllib.loads(path.read_text(encoding="utf-8"))["project"].get("scripts", {}).values():
            module, _, name = target.partition(":")
            found.add((module, name))
    for name in found.modules:
        if name.endswith((".__main__", ".celery")):
            found.add_module(name)
    for path in (*root.glob("benchmarks/**/*.py"), *root.glob("infra/**/*.py")):
        found.add_script(path.read_text(encoding="utf-8"))
    for page in (*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("*/*/README.md")):
        for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            found.add_script(block)
    found.follow()
    return found


def unreached(found: Reach) -> list[str]:
    """Public definitions that are not reached, as `module.name`."""
    return sorted(
        f"{module.name}.{name}"
        for module in found.modules.values()
        for name in module.definitions
        if not any(part.startswith("_") for part in name.split("."))
        and (module.name, name) not in found.names
        and not _in_unreached_class(found, module, name)
    )


def _in_unreached_class(found: Reach, module: Module, name: str) -> bool:
    """Methods of a class that is itself listed."""
    owner, _, method = name.partition(".")
    return bool(method) and (module.name, owner) not in found.names


if __name__ == "__main__":
    print("\n".join(unreached(reach())))
