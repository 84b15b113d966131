# SPDX-License-Identifier: Apache-2.0
"""What test_scope.py knows of each area, a module an area. Each may have
    STATEMENTS {name: (parameters that hit tongxin, columns that may say something)}, EXCEPTED {name: why it is not run},
    ADMINISTRATORS {names}, PUBLIC_TABLES {table: why}, READ_BY_ALL {tables}, VIEWS [names], WORLD "SQL, run as superuser, after
    everything else: rows for the area's tables", fill(manager, admin, cases, people): the same through the API."""
import importlib
import pkgutil

MODULES = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]


def merged(name, kind):
    whole = kind()
    for module in MODULES:
        part = getattr(module, name, kind())
        whole = whole | part if kind in (dict, set) else whole + part
    return whole
