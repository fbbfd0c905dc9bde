/*
 * How SQLite reaches the store's files: what it writes page by page is gathered and written in one
 * call. It writes a group's pages one after the other, each with a system call for its header and one
 * for its content; with many pages a group those calls cost more than the pages.
 *
 * Thread: a file belongs to its connection's thread; `store_file_name` may be called by any. Promise:
 * everything gathered is written before a sync, a look at the size, a change of it, a read of the same
 * place and the end of the file. So whoever syncs before telling others sees no difference, and the
 * connection has to do that: with synchronous=FULL SQLite syncs the log before it publishes a commit, and
 * the main file before it says that the log was copied.
 */
#ifndef NUDGED_STORE_FILE_H
#define NUDGED_STORE_FILE_H

/* The name to open a read-write connection with; NULL when SQLite has no file system to build on. */
const char *store_file_name(void);

#endif
