"""A Hitachi inkjet that is not ours: pymodbus as a Modbus/TCP server on a free loopback port, with the registers of the
UX and TUP-I manuals. It begins offline, as after power-up.

Prints "port N". Then, told on its stdin:
  thing        a thing passes the head, once the host has read the count behind its last commit: prints "ink TEXT" (what
               was committed last), and counts it
  offline      prints "offline": from now on only register 2490h and the input registers are there
Ends when its stdin ends.
"""

import asyncio
import sys

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

CHANGE, ITEMS, CHARACTERS, TEXT, ONLINE, COUNT = 0x0000, 0x0008, 0x0020, 0x0084, 0x2490, 0x0052
INPUTS = 0x60


class Printer:
    def __init__(self):
        self.online, self.changing, self.count, self.text = 0, False, 0, ""
        self.looked = asyncio.Event()

    async def action(self, function, start, address, count, registers, values):
        if function == 4:
            online = 0x30 + self.online
            registers[0 - start : 4 - start] = [online, online, 0x32, 0x30]
            registers[COUNT - start : COUNT + 2 - start] = [self.count >> 16, self.count & 0xFFFF]
            if address == COUNT:
                self.looked.set()
            return None
        if address == ONLINE:
            if values:
                self.online = values[0]
            registers[ONLINE - start] = self.online
            return None
        if not self.online:
            return ExcCodes.ILLEGAL_ADDRESS
        if not values:
            return None
        if address == CHANGE:
            if values[0] == 2:
                if not self.changing:
                    return ExcCodes.ILLEGAL_VALUE
                length = registers[CHARACTERS - start]
                words = registers[TEXT - start : TEXT - start + 2 * length]
                if any(words[0::2]):
                    return ExcCodes.ILLEGAL_VALUE
                self.text = "".join(chr(w) for w in words[1::2])
                self.looked.clear()
            self.changing = values[0] == 1
            return None
        if not self.changing or 2 * len(values) > 246:
            return ExcCodes.ILLEGAL_VALUE
        return None


async def main():
    printer = Printer()
    def registers(address, count):
        return SimData(address, values=[0] * count, datatype=DataType.REGISTERS)

    holding = [registers(CHANGE, 1), SimData(ITEMS, values=[1], datatype=DataType.REGISTERS), registers(CHARACTERS, 100)]
    holding += [registers(TEXT, 480), registers(ONLINE, 1)]
    bit = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    device = SimDevice(1, simdata=(bit, bit, holding, [registers(0, INPUTS)]), action=printer.action)
    server = ModbusTcpServer(device, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    print("port", server.transport.sockets[0].getsockname()[1], flush=True)
    while line := await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        if line.strip() == "thing":
            await printer.looked.wait()
            printer.count += 1
            print("ink", printer.text, flush=True)
        elif line.strip() == "offline":
            printer.online = 0
            print("offline", flush=True)
    await server.shutdown()


asyncio.run(main())
