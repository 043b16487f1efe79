//! One printer of the dialect, byte by byte.
