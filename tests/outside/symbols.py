"""A decoder of symbols that is not ours: zxing-cpp, on pictures that Pillow opened.

Reads paths of pictures, one a line; answers "AIM-IDENTIFIER HEX-OF-BYTES" for each, or "nothing".
"""

import sys

import zxingcpp
from PIL import Image

for line in sys.stdin:
    picture = Image.open(line.rstrip("\n")).convert("L")
    found = zxingcpp.read_barcodes(picture)
    if len(found) == 1:
        print(found[0].symbology_identifier, bytes(found[0].bytes).hex(), flush=True)
    else:
        print("nothing" if not found else f"{len(found)} symbols", flush=True)
