#include "mneme_sqlite.h"

#include <sqlite3.h>

int mns_run_triggers(void *connection, int run) {
    return sqlite3_db_config((sqlite3 *)connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, run, (int *)0);
}
