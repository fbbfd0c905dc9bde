/*
 * The gathering file of store_file.h: a thin layer above SQLite's own file system. Everything but the
 * writes of the main file and of the log goes straight through.
 *
 * Thread: a file is its connection's; registering happens once, whoever asks first. Promise: bytes are
 * passed on in the order in which they were written, and none of them twice.
 */
#include "store_file.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* SQLite's file system takes less than 128 KB in one call. */
enum { GATHERED_BYTES = 124 * 1024 };

struct file {
  sqlite3_file base;
  sqlite3_file *below;
  /* What was written and has not been passed on: `count` bytes from `start` on. NULL: nothing is gathered. */
  unsigned char *bytes;
  sqlite3_int64 start;
  int count;
};

static sqlite3_file *below(sqlite3_file *file) { return ((struct file *)file)->below; }

/* Passes on what was gathered. What could not be written is forgotten, because the group has failed. */
static int pass_on(struct file *file) {
  if (file->count == 0) return SQLITE_OK;
  int count = file->count;
  file->count = 0;
  return file->below->pMethods->xWrite(file->below, file->bytes, count, file->start);
}

static int file_write(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 offset) {
  struct file *file = (struct file *)base;
  int follows = file->count > 0 && offset == file->start + file->count && file->count + count <= GATHERED_BYTES;
  if (!follows) {
    int code = pass_on(file);
    if (code != SQLITE_OK) return code;
    if (!file->bytes || count > GATHERED_BYTES) return file->below->pMethods->xWrite(file->below, bytes, count, offset);
    file->start = offset;
  }
  memcpy(file->bytes + file->count, bytes, (size_t)count);
  file->count += count;
  return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *bytes, int count, sqlite3_int64 offset) {
  struct file *file = (struct file *)base;
  /* Whatever lies behind the gathered bytes may be beyond the file's end without them. */
  if (file->count > 0 && offset + count > file->start) {
    int code = pass_on(file);
    if (code != SQLITE_OK) return code;
  }
  return file->below->pMethods->xRead(file->below, bytes, count, offset);
}

static int file_close(sqlite3_file *base) {
  struct file *file = (struct file *)base;
  int passed = pass_on(file);
  int closed = file->below->pMethods->xClose(file->below);
  free(file->bytes);
  file->bytes = NULL;
  return closed != SQLITE_OK ? closed : passed;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
  int code = pass_on((struct file *)base);
  return code != SQLITE_OK ? code : below(base)->pMethods->xTruncate(below(base), size);
}

static int file_sync(sqlite3_file *base, int flags) {
  int code = pass_on((struct file *)base);
  return code != SQLITE_OK ? code : below(base)->pMethods->xSync(below(base), flags);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size) {
  int code = pass_on((struct file *)base);
  return code != SQLITE_OK ? code : below(base)->pMethods->xFileSize(below(base), size);
}

static int file_lock(sqlite3_file *base, int level) { return below(base)->pMethods->xLock(below(base), level); }
static int file_unlock(sqlite3_file *base, int level) { return below(base)->pMethods->xUnlock(below(base), level); }
static int file_is_reserved(sqlite3_file *base, int *result) {
  return below(base)->pMethods->xCheckReservedLock(below(base), result);
}

static int file_control(sqlite3_file *base, int what, void *argument) {
  int code = pass_on((struct file *)base);
  return code != SQLITE_OK ? code : below(base)->pMethods->xFileControl(below(base), what, argument);
}

static int file_sector(sqlite3_file *base) { return below(base)->pMethods->xSectorSize(below(base)); }
static int file_traits(sqlite3_file *base) { return below(base)->pMethods->xDeviceCharacteristics(below(base)); }
static int file_map(sqlite3_file *base, int region, int size, int extend, void volatile **mapped) {
  return below(base)->pMethods->xShmMap(below(base), region, size, extend, mapped);
}
static int file_lock_shared(sqlite3_file *base, int offset, int count, int flags) {
  return below(base)->pMethods->xShmLock(below(base), offset, count, flags);
}
static void file_barrier(sqlite3_file *base) { below(base)->pMethods->xShmBarrier(below(base)); }
static int file_unmap(sqlite3_file *base, int delete) {
  return below(base)->pMethods->xShmUnmap(below(base), delete);
}

/* Version 2: without reading through a mapping, which would not see what is gathered. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_is_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = file_map,
    .xShmLock = file_lock_shared,
    .xShmBarrier = file_barrier,
    .xShmUnmap = file_unmap,
};

static int system_open(sqlite3_vfs *self, const char *path, sqlite3_file *base, int flags, int *opened) {
  sqlite3_vfs *plain = self->pAppData;
  /* Temporary files and journals are not worth gathering. */
  if (!(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))) return plain->xOpen(plain, path, base, flags, opened);
  struct file *file = (struct file *)base;
  memset(file, 0, sizeof *file);
  file->below = (sqlite3_file *)(file + 1);
  int code = plain->xOpen(plain, path, file->below, flags, opened);
  if (code != SQLITE_OK) {
    /* As SQLite wants it: a file that has methods is closed, even when opening it failed. */
    if (file->below->pMethods) file->below->pMethods->xClose(file->below);
    return code;
  }
  /* Without memory it writes page by page. */
  file->bytes = malloc(GATHERED_BYTES);
  file->base.pMethods = &methods;
  return SQLITE_OK;
}

static sqlite3_vfs gathering;
static const char *name;

static void make(void) {
  sqlite3_vfs *plain = sqlite3_vfs_find(NULL);
  if (!plain) return;
  /* Everything but opening is the plain one's: its functions find nothing of theirs in what they are given. */
  gathering = *plain;
  gathering.zName = "nudged-gathering";
  gathering.szOsFile = (int)sizeof(struct file) + plain->szOsFile;
  gathering.pNext = NULL;
  gathering.xOpen = system_open;
  gathering.pAppData = plain;
  if (sqlite3_vfs_register(&gathering, 0) == SQLITE_OK) name = gathering.zName;
}

const char *store_file_name(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make);
  return name;
}
