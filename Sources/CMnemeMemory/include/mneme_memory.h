// Memory files: what Swift cannot call itself.
#ifndef MNEME_MEMORY_H
#define MNEME_MEMORY_H

#include <stddef.h>

/// A file of `bytes` that lies in memory only and goes with its descriptor. -1 and errno on failure.
int mnm_memory_file(size_t bytes);
/// Gives the pages of a part back to the system; reading them gives zeros. 0, or -1 where the system cannot (then they stay).
int mnm_memory_file_release(int file, size_t offset, size_t bytes);

#endif
