// Tables of languages: one text file each, which stands in the program.
#ifndef MNEME_LANGUAGES_H
#define MNEME_LANGUAGES_H

#include <stddef.h>

/// A language's table.
typedef struct {
    /// Its name.
    const char *name;
    /// The file, in UTF-8. No zero byte ends it.
    const unsigned char *bytes;
    size_t size;
} mnm_language_table;

/// The number of languages.
size_t mnm_language_count(void);
/// The table at an index below the count; the first is English.
mnm_language_table mnm_language_at(size_t index);

/// The number of tables of time phrases: no language has two, and English, whose grammar is code, none.
size_t mnm_date_table_count(void);
/// The table of time phrases at an index below that count.
mnm_language_table mnm_date_table_at(size_t index);

#endif
