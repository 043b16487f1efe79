"""An I/O module that is not ours: pymodbus as a Modbus/TCP server on a free loopback port, or as an RTU server (unit 9)
on the terminal that its argument names.

Prints "port N" (or "port 0"), then "write ADDRESS 0|1" for every coil written. Inputs 1, 4 and 9 are on; the counter of input N
(registers 2N and 2N+1, high word first) reads N * 65536 + N + 7. Coil 40 says that outputs were dropped until coil 48
is written. Ends when its stdin ends.
"""

import asyncio
import sys

from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer

POINTS = 16
SAFE_STATE, SAFE_CLEAR = 40, 48


async def main():
    registers = [word for n in range(POINTS) for word in (n, n + 7)]
    coils = [False] * 64
    coils[SAFE_STATE] = True
    # pymodbus counts a block's addresses from 1 where the wire counts from 0.
    device = ModbusDeviceContext(
        di=ModbusSequentialDataBlock(1, [n in (1, 4, 9) for n in range(POINTS)]),
        co=ModbusSequentialDataBlock(1, coils),
        ir=ModbusSequentialDataBlock(1, registers),
        hr=ModbusSequentialDataBlock(1, [0]),
    )
    context = ModbusServerContext(devices=device, single=True)

    cleared = False

    def trace(sending, pdu):
        nonlocal cleared
        if not sending and pdu.function_code == 5:
            print("write", pdu.address, int(pdu.bits[0]), flush=True)
            if pdu.address == SAFE_CLEAR and pdu.bits[0]:
                cleared = True
        elif sending and pdu.function_code == 1 and cleared:
            # The only coil that is ever read.
            pdu.bits = [False]
        return pdu

    if len(sys.argv) > 1:
        context = ModbusServerContext(devices={9: device}, single=False)
        server = ModbusSerialServer(
            context, framer=FramerType.RTU, port=sys.argv[1], baudrate=19200, trace_pdu=trace
        )
        await server.serve_forever(background=True)
        print("port 0", flush=True)
    else:
        server = ModbusTcpServer(context, address=("127.0.0.1", 0), trace_pdu=trace)
        await server.serve_forever(background=True)
        print("port", server.transport.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.shutdown()


asyncio.run(main())
