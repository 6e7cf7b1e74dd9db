"""A folder of methods as a table: a row per file, under the file's name, which configs use. Free of TensorFlow."""

import ast
import difflib
import importlib
import importlib.util
import inspect
import pathlib
import pkgutil

from zoo.errors import RequestError


def listing(title, summaries):
    """Methods as text: the title, and a line for each of {name: description and source}."""
    width = max(map(len, summaries))
    return "\n".join([title, *(f"  {name:{width}}  {summary}" for name, summary in summaries.items())])


class Registry:
    """The methods of one package, found by listing its files.

    Args:
        package: dotted name of the package.
        kind: what messages call its methods: "objective", "dynamics".
    """

    def __init__(self, package, kind):
        self.package, self.kind = package, kind

    def names(self):
        """All names, sorted. Modules named base or with a leading underscore are not methods."""
        folder = pathlib.Path(importlib.util.find_spec(self.package).origin).parent
        found = (module.name for module in pkgutil.iter_modules([str(folder)]))
        return sorted(name for name in found if name != "base" and not name.startswith("_"))

    def check(self, name, where=None):
        """Raises RequestError, with the nearest names, unless `name` is one of them."""
        if name not in self.names():
            near = difflib.get_close_matches(str(name), self.names(), 3, 0.4)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join(self.names())}"
            raise RequestError(f"{where or f'config.{self.kind}'}: {name!r} is no {self.kind}; {hint}")

    def load(self, name):
        """The class of method `name`: the one public class that its file defines."""
        self.check(name)
        module = importlib.import_module(f"{self.package}.{name}")
        classes = [
            value
            for key, value in vars(module).items()
            if inspect.isclass(value) and value.__module__ == module.__name__ and not key.startswith("_")
        ]
        (found,) = classes
        return found

    def summary(self, name):
        """First paragraph of the file's docstring, read without importing it: the method and its source."""
        file = pathlib.Path(importlib.util.find_spec(f"{self.package}.{name}").origin)
        return " ".join(ast.get_docstring(ast.parse(file.read_text())).split("\n\n")[0].split())

    def build(self, name, options, where):
        """An instance, or RequestError naming the options that the method does not take."""
        self.check_options(name, options, where)
        return self.load(name)(**options)

    def check_options(self, name, options, where, inherited=()):
        """Raises RequestError for options that the method's constructor does not take by keyword. Imports no method."""
        self.check(name)
        known = [option for option in keywords(f"{self.package}.{name}") if option not in inherited]
        for option in options:
            if option not in known:
                takes = f"takes {', '.join(known)}" if known else "takes none"
                raise RequestError(f"{where}.{option}: no option of {name}, which {takes}")


def keywords(module, name=None):
    """Names of the optional and keyword-only arguments of a class's constructor, read without importing it.

    Args:
        module: dotted name of the module.
        name: of the class; the module's public one if None.
    """
    tree = ast.parse(pathlib.Path(importlib.util.find_spec(module).origin).read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    (found,) = (node for node in classes if (node.name == name if name else not node.name.startswith("_")))
    for node in found.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            optional = node.args.args[len(node.args.args) - len(node.args.defaults) :]
            return [argument.arg for argument in optional + node.args.kwonlyargs]
    base = found.bases[0].id  # It has its parent's constructor.
    homes = [node.module for node in tree.body if isinstance(node, ast.ImportFrom) and base in _imported(node)]
    return keywords(homes[0] if homes else module, base)


def _imported(node):
    return [alias.name for alias in node.names]
