"""A folder of methods as a table: a row per file, under the file's name, which configs use. Free of TensorFlow."""

import ast
import importlib
import importlib.util
import inspect
import pathlib
import pkgutil

from zoo import options


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
        options.one_of(*self.names()).check(name, where or f"config.{self.kind}")

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

    def resolve(self, name, given, where):
        """All options of method `name`, completed and checked, see `zoo.options.resolve`."""
        return options.resolve(options.declared(self.load(name)), given, where, name)
