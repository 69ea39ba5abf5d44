"""Hatch hook: generated code is built when the project is installed, never committed."""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ContractsHook(BuildHookInterface[Any]):
    """Runs ``proto/compile.py`` before a wheel or an editable install is made."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles the contracts into ``proto/gen``."""
        runpy.run_path(str(Path(self.root) / "proto" / "compile.py"), run_name="__main__")
        if version == "standard":
            build_data["force_include"][str(Path(self.root) / "proto" / "gen")] = "/"
            # Other regions still run them: what they send is judged by what they were made with (decision 0047).
            build_data["force_include"][str(Path(self.root) / "proto" / "releases")] = "/tongban/releases"
