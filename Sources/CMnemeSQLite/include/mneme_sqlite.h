// SQLite's functions of variable arguments, which Swift cannot call.
#ifndef MNEME_SQLITE_H
#define MNEME_SQLITE_H

/// Whether triggers run for the statements of a connection (`sqlite3 *`) from now on. Statements that are
/// prepared are prepared anew at their next use. 0, or SQLite's error; then nothing has changed.
int mns_run_triggers(void *connection, int run);

#endif
