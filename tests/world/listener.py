"""Listens to a microphone and prints each signal as a line of JSON, until its input ends.

A process of its own, because PortAudio reads its environment only once.
"""

import sys

from edge.contracts.signals import Signal, encode_signal
from edge.perception.voice import VoiceMeter
from edge.process import logs
from edge.process.backoff import Backoff
from edge.signals.microphone import MicrophoneSource


def main() -> None:
    def tell(signal: Signal) -> None:
        sys.stdout.write(encode_signal(signal).decode() + "\n")
        sys.stdout.flush()

    logs.setup("listener")
    pause = Backoff(first=0.1, cap=0.2)
    source = MicrophoneSource("microphone", sys.argv[1], VoiceMeter(), tell, backoff=pause)
    source.start()
    sys.stdin.read()
    source.stop()


if __name__ == "__main__":
    main()
