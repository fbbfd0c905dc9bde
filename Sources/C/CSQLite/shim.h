/* Door to libsqlite3: what Swift cannot import by itself is wrapped here, each with its reason. */
#ifndef NUDGED_CSQLITE_H
#define NUDGED_CSQLITE_H
#include <sqlite3.h>

/* Variadic in C, so invisible to Swift. */
static inline int csqlite_config_flag(sqlite3 *db, int option, int on) {
  return sqlite3_db_config(db, option, on, (int *)0);
}

/* SQLITE_STATIC is a cast macro; the bytes must outlive the step, no copy is made. */
static inline int csqlite_bind_blob(sqlite3_stmt *s, int i, const void *bytes, sqlite3_int64 count) {
  return sqlite3_bind_blob64(s, i, bytes ? bytes : "", (sqlite3_uint64)count, SQLITE_STATIC);
}
static inline int csqlite_bind_text(sqlite3_stmt *s, int i, const char *bytes, sqlite3_int64 count) {
  return sqlite3_bind_text64(s, i, bytes ? bytes : "", (sqlite3_uint64)count, SQLITE_STATIC, SQLITE_UTF8);
}
#endif
