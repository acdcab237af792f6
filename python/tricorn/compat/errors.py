"""What programs raise to end the server, and what they catch."""

from __future__ import annotations

from tricorn._loading import AppNotFound, Mistake


class HaltServer(SystemExit):
    """Ends the server with a code, for a reason."""

    def __init__(self, reason: str, exit_status: int = 1) -> None:
        super().__init__(exit_status)
        self.reason = reason
        self.exit_status = exit_status

    def __str__(self) -> str:
        return f"{self.reason} (exit status {self.exit_status})"


class ConfigError(Mistake):
    """The configuration is not as it should be."""

    def __init__(self, what: str = "the configuration is wrong", mend: str = "") -> None:
        super().__init__(what, mend)


class AppImportError(AppNotFound):
    """The application cannot be imported."""

    def __init__(self, what: str = "there is no application", mend: str = "check it") -> None:
        super().__init__(what, mend)


class AppModuleNotFoundError(AppImportError, ModuleNotFoundError):
    """The application's module is not there: programs catch it as an import that fails."""
