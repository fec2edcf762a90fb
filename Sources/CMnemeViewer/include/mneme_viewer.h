// The viewer's files, which stand in the program: one binary serves them, and nothing is unpacked.
#ifndef MNEME_VIEWER_H
#define MNEME_VIEWER_H

#include <stddef.h>

/// A file of the viewer.
typedef struct {
    /// Its path under the server's root, without the slash before it; empty for the first page.
    const char *path;
    /// Its content type.
    const char *type;
    /// What is sent. No zero byte ends it.
    const unsigned char *bytes;
    size_t size;
} mnm_viewer_file;

/// The number of files.
size_t mnm_viewer_file_count(void);
/// The file at an index below the count.
mnm_viewer_file mnm_viewer_file_at(size_t index);

#endif
