// Memory files: what Swift cannot call itself.
#ifndef MNEME_MEMORY_H
#define MNEME_MEMORY_H

#include <stddef.h>

/// Whether the system holds memory for any of these bytes; 0 where it cannot say.
int mnm_memory_file_holds(int file, size_t offset, size_t bytes);

/// A file of `bytes` that lies in memory only and goes with its descriptor. -1 and errno on
/// failure.
int mnm_memory_file(size_t bytes);
/// Gives the pages of a part back to the system; reading them gives zeros. 0, or -1 where the
/// system cannot (then they stay).
int mnm_memory_file_release(int file, size_t offset, size_t bytes);
/// Moves the pages of one mapping to address space that is reserved, in place of what is there; the
/// old addresses are free afterwards. 0, or -1 where the system cannot (then nothing has changed).
int mnm_memory_move(void *from, void *to, size_t bytes);
/// Lets go of pages that are a file's and as they are there: they are read again where they are touched.
/// Other pages of these bytes stay. Where the system cannot, all do.
void mnm_page_out(void *start, size_t bytes);

#endif
