"""How the C library hands out the memory of arrays; importing this file sets it.

Each step of training allocates and frees the same arrays. glibc gives blocks of more than 128 KB back to the system and
takes them again page by page, unless it has seen a block of that size freed before. So it sees one here, of the
largest size that it goes by. An attention layer of (16, 4, 64, 16) then takes 1.3 ms forward and backward in place of
3.1, a two-layer transformer 14 in place of 20; for that a process may keep up to 64 MB that it has freed. Where the C
library is another, nothing happens.
"""

import numpy as np

np.empty((1 << 25) - (1 << 13), np.uint8)
