"""uWebSockets through socketify: `echo` sends each message back, `fanout` uses its topics."""

from __future__ import annotations

import sys

from socketify import App, AppListenOptions, OpCode, WebSocket

TOPIC = "all"


def main() -> None:
    """Serve until SIGTERM."""
    app = App()

    def echo(ws: WebSocket, message: str | bytes, opcode: OpCode) -> None:
        ws.send(message, opcode)

    def fanout(ws: WebSocket, message: str | bytes, opcode: OpCode) -> None:
        if message in ("sub", "pub"):
            if message == "sub":
                ws.subscribe(TOPIC)
            ws.send("ok", OpCode.TEXT)
        else:
            app.publish(TOPIC, message, opcode)

    app.ws(
        "/*",
        {
            "compression": 0,
            "max_payload_length": 64 * 1024,
            "max_backpressure": 16 * 1024 * 1024,
            "idle_timeout": 300,
            "message": echo if sys.argv[1] == "echo" else fanout,
        },
    )
    options = AppListenOptions(port=int(sys.argv[2]), host="127.0.0.1")
    app.listen(options, lambda config: print(f"ready 127.0.0.1:{config.port}", flush=True))
    app.run()


if __name__ == "__main__":
    main()
