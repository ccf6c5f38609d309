"""The process of one camera: `python -m multiface.serve.cameras.camera_process`, started by `running_camera` alone.

Its order comes on standard input, which stays open: when that ends, because the service stops the camera, or is gone,
the process ends too. On standard output it says how it is, a JSON object a line, about once a second:
{"running": true}, {"trouble": text or null}, {"stored": number}, and at its end {"failed": text}.
"""

import signal
import sys

from multiface.errors import MultifaceError
from multiface.serve.cameras.camera_life import Ending, Voice, read_line
from multiface.serve.cameras.camera_order import CameraOrder


def main() -> int:
    """Watch the camera of the order; the exit code."""
    voice, ending = Voice(), Ending()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = read_line()
    if not line:
        return 0
    ending.watch()
    try:
        # Here, so that a library that is missing is told as other reasons are.
        from multiface.serve.cameras.camera_watch import watch

        watch(CameraOrder.of(line), voice, ending)
    except MultifaceError as error:
        if not ending.asked:
            voice.say(failed=str(error))
            return 1
    except Exception as error:
        voice.say(failed=f"an internal error ({type(error).__name__}); the service's log has it")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
