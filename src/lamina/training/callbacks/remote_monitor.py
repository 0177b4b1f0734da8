"""RemoteMonitor: sends the logs to a server."""

import json
import os
import warnings
from collections.abc import Mapping

import numpy as np

from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user
from lamina.core.types import Logs
from lamina.core.user_data.arguments import explain_arguments
from lamina.training.callbacks.callback import Callback


class RemoteMonitor(Callback):
    """Sends the logs and the number of every epoch to a server, by HTTP POST.

    If the server does not answer, a warning is issued and training continues.

    Args:
        root: Address of the server, such as `"http://localhost:9000"`.
        path: Path on the server.
        field: Name of the form field that contains the JSON, if `send_as_json` is False.
        headers: Further HTTP headers.
        send_as_json: Send the JSON as the body (`application/json`) instead of in a form.

    Example:
        >>> RemoteMonitor("http://localhost:9000").path
        '/publish/epoch/end/'
    """

    @explain_arguments
    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Mapping[str, str] | None = None,
        send_as_json: bool = False,
    ):
        self.root = os.fspath(root)
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        import requests

        values = {name: _to_json_value(value) for name, value in (logs or {}).items()}
        record = {"epoch": epoch, **values}
        content = (
            {"json": record} if self.send_as_json else {"data": {self.field: json.dumps(record)}}
        )
        try:
            requests.post(self.root + self.path, headers=self.headers, timeout=10, **content)
        except requests.exceptions.RequestException as error:
            warnings.warn(
                f"RemoteMonitor could not reach {self.root}{self.path}: {type(error).__name__}.\n"
                "  Training continues; the logs of this epoch were not sent.",
                LaminaWarning,
                stacklevel=stacklevel_of_user(),
            )


def _to_json_value(value: object) -> object:
    """A Python number for a scalar or an array of one value, a list for other arrays."""
    array = np.asarray(value)
    return array.item() if array.size == 1 else array.tolist()
