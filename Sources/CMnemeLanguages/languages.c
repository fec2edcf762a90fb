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

// Time phrases.
static const unsigned char spanish_dates[] = {
#embed "dates/spanish.txt"
};
static const unsigned char portuguese_dates[] = {
#embed "dates/portuguese.txt"
};
static const unsigned char french_dates[] = {
#embed "dates/french.txt"
};
static const unsigned char italian_dates[] = {
#embed "dates/italian.txt"
};
static const unsigned char german_dates[] = {
#embed "dates/german.txt"
};
static const unsigned char dutch_dates[] = {
#embed "dates/dutch.txt"
};
static const unsigned char swedish_dates[] = {
#embed "dates/swedish.txt"
};
static const unsigned char russian_dates[] = {
#embed "dates/russian.txt"
};
static const unsigned char chinese_dates[] = {
#embed "dates/chinese.txt"
};
static const unsigned char japanese_dates[] = {
#embed "dates/japanese.txt"
};

static const mnm_language_table date_tables[] = {
    {"spanish", spanish_dates, sizeof spanish_dates},
    {"portuguese", portuguese_dates, sizeof portuguese_dates},
    {"french", french_dates, sizeof french_dates},
    {"italian", italian_dates, sizeof italian_dates},
    {"german", german_dates, sizeof german_dates},
    {"dutch", dutch_dates, sizeof dutch_dates},
    {"swedish", swedish_dates, sizeof swedish_dates},
    {"russian", russian_dates, sizeof russian_dates},
    {"chinese", chinese_dates, sizeof chinese_dates},
    {"japanese", japanese_dates, sizeof japanese_dates},
};

size_t mnm_date_table_count(void) { return sizeof date_tables / sizeof *date_tables; }

mnm_language_table mnm_date_table_at(size_t index) { return date_tables[index]; }
