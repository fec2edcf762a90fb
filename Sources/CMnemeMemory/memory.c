// Memory files: memory with a descriptor, whose pages can be mapped at several addresses at once.
// The KV cache maps one block into the address ranges of all sequences that share it, so that
// attention sees each sequence as one piece.
//
// Linux has memfd_create, and can give back pages from the middle (a hole). Elsewhere it is POSIX
// shared memory, whose name is removed at once; there, pages stay until the file is closed.

#define _GNU_SOURCE
#include "mneme_memory.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/// Pages come with the first write; until then the file takes no memory.
int mnm_memory_file(size_t bytes) {
#ifdef __linux__
    int file = memfd_create("mneme-kv", MFD_CLOEXEC);
#else
    char name[64];
    snprintf(name, sizeof name, "/mneme-kv-%ld-%p", (long)getpid(), (void *)&name);
    int file = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (file >= 0) shm_unlink(name);
#endif
    if (file < 0) return -1;
    if (ftruncate(file, (off_t)bytes) != 0) {
        close(file);
        return -1;
    }
    return file;
}

/// The first data at or behind the offset: a hole has none.
int mnm_memory_file_holds(int file, size_t offset, size_t bytes) {
#ifdef __linux__
    off_t data = lseek(file, (off_t)offset, SEEK_DATA);
    return data >= 0 && data < (off_t)(offset + bytes);
#else
    (void)file, (void)offset, (void)bytes;
    return 0;
#endif
}

int mnm_memory_file_release(int file, size_t offset, size_t bytes) {
#ifdef __linux__
    return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes);
#else
    (void)file, (void)offset, (void)bytes;
    return -1;
#endif
}

int mnm_memory_move(void *from, void *to, size_t bytes) {
#ifdef __linux__
    return mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED ? -1 : 0;
#else
    (void)from, (void)to, (void)bytes;
    return -1;
#endif
}

/// Linux asks for whole pages, of which the first may hold what lies before.
void mnm_page_out(void *start, size_t bytes) {
#if defined(__linux__) && defined(MADV_PAGEOUT)
    uintptr_t page = (uintptr_t)getpagesize(), first = ((uintptr_t)start + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)start + bytes) / page * page;
    if (end > first) madvise((void *)first, end - first, MADV_PAGEOUT);
#else
    (void)start, (void)bytes;
#endif
}
