// The tables of languages, which stand in the program. #embed is of C23; clang has it in all modes.
#pragma clang diagnostic ignored "-Wc23-extensions"

#include "mneme_languages.h"

static const unsigned char english[] = {
#embed "tables/english.txt"
};
static const unsigned char spanish[] = {
#embed "tables/spanish.txt"
};
static const unsigned char french[] = {
#embed "tables/french.txt"
};
static const unsigned char german[] = {
#embed "tables/german.txt"
};
static const unsigned char portuguese[] = {
#embed "tables/portuguese.txt"
};
static const unsigned char italian[] = {
#embed "tables/italian.txt"
};
static const unsigned char russian[] = {
#embed "tables/russian.txt"
};
static const unsigned char dutch[] = {
#embed "tables/dutch.txt"
};
static const unsigned char swedish[] = {
#embed "tables/swedish.txt"
};

// English first; further ones may follow in any order.
static const mnm_language_table tables[] = {
    {"english", english, sizeof english},       {"spanish", spanish, sizeof spanish},
    {"french", french, sizeof french},          {"german", german, sizeof german},
    {"portuguese", portuguese, sizeof portuguese}, {"italian", italian, sizeof italian},
    {"russian", russian, sizeof russian},       {"dutch", dutch, sizeof dutch},
    {"swedish", swedish, sizeof swedish},
};

size_t mnm_language_count(void) { return sizeof tables / sizeof *tables; }

mnm_language_table mnm_language_at(size_t index) { return tables[index]; }
