/*
 * Ends the daemon at one chosen system call. Loaded with LD_PRELOAD, it stands between the daemon (with
 * SQLite and curl in it) and the C library, counts the calls that belong to a phase, and kills its own
 * process at the n-th one: before the call, after it, or in its middle. The daemon knows nothing of it.
 *
 * Who calls is told by the thread's name, what is written to by the path behind the descriptor. The
 * calls themselves go straight to the kernel, so that nothing depends on the order of loading.
 *
 * Environment: CRASH_PHASE (a name below), CRASH_COUNT (n), CRASH_SIDE (before | after | torn),
 * CRASH_MARK (a file that is written just before the end, to prove that it was this end).
 *
 * Thread: every thread of the daemon; the state of a group belongs to the one that writes the store.
 * Promise: until the n-th call everything behaves as without it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum phase {
  NO_PHASE,
  BEFORE_APPEND, /* before the first write of a group to the log */
  APPENDED,      /* the group is written and not synced */
  COMMITTED,     /* synced, nobody was told */
  ANSWERED,      /* the client was told, its webhook has not left */
  SENT,          /* the webhook has left, its result is not settled */
  CHECKPOINT,    /* while the log is copied into the main file */
  SWEEP,         /* a commit that only writes look-up tables, at idle */
  STOP,          /* the sweep of a clean stop */
  MIGRATION,     /* an older store on its way to the newest version */
  REPLAY,        /* in the middle of a rule: when its budget looks at the clock, most often in a replay */
  STORM,         /* a commit of what due timers decide right after a start */
  RESEND,        /* while webhooks that are over are sent once more: one has left, was answered, or is half written down */
  PROBE          /* the first webhooks after a start to a receiver that failed: one finds out whether it is back */
};
static const char *const phase_names[] = {"",     "before_append", "appended", "committed", "answered",
                                          "sent", "checkpoint",    "sweep",    "stop",      "migration", "replay", "storm", "resend", "probe"};

enum side { BEFORE, AFTER, TORN };
enum who { UNKNOWN, MAIN, STORE, INTAKE, DELIVERY, LANE, OTHER };
enum file { NEITHER, DATABASE, LOG };

static enum phase phase;
static enum side side;
static long target;
static const char *mark_path;
static atomic_long seen;
static atomic_long last_input_ms;
static atomic_long answers_sent;
static atomic_int stopping;
static atomic_int dying;
static __thread enum who me;

/* Of the group that is being written: whether it has begun, whether it has more than a log header, and
 * from where on the log holds what no sync has covered. */
static int group_open;
static int group_has_frames;
static off64_t unsynced_from = -1;

__attribute__((constructor)) static void read_orders(void) {
  const char *name = getenv("CRASH_PHASE");
  const char *count = getenv("CRASH_COUNT");
  const char *where = getenv("CRASH_SIDE");
  mark_path = getenv("CRASH_MARK");
  if (!name || !count) return;
  target = atol(count);
  side = !where ? BEFORE : !strcmp(where, "after") ? AFTER : !strcmp(where, "torn") ? TORN : BEFORE;
  for (unsigned i = 1; i < sizeof phase_names / sizeof *phase_names; i++)
    if (!strcmp(name, phase_names[i])) phase = (enum phase)i;
}

static long now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static enum who caller(void) {
  if (me != UNKNOWN) return me;
  char name[16] = "";
  pthread_getname_np(pthread_self(), name, sizeof name);
  if (!strcmp(name, "store")) me = STORE;
  else if (!strcmp(name, "intake")) me = INTAKE;
  else if (!strcmp(name, "delivery")) me = DELIVERY;
  else if (!strncmp(name, "lane-", 5)) me = LANE;
  else if (getpid() == syscall(SYS_gettid)) me = MAIN;
  /* A thread may call before it has its name: only a known one is remembered. */
  return me == UNKNOWN ? OTHER : me;
}

static int ends_with(const char *text, size_t length, const char *end) {
  size_t count = strlen(end);
  return length >= count && !memcmp(text + length - count, end, count);
}

static enum file file_of(int fd) {
  char link[32] = "/proc/self/fd/", path[4096];
  char digits[12];
  int count = 0, rest = fd;
  do digits[count++] = (char)('0' + rest % 10);
  while ((rest /= 10) > 0);
  char *end = link + strlen(link);
  while (count > 0) *end++ = digits[--count];
  *end = 0;
  long length = syscall(SYS_readlink, link, path, sizeof path);
  if (length <= 0) return NEITHER;
  if (ends_with(path, (size_t)length, "/nudged.db")) return DATABASE;
  if (ends_with(path, (size_t)length, "/nudged.db-wal")) return LOG;
  return NEITHER;
}

/* Kill with the signal that nothing can catch; the mark says that it was us. */
static void end_here(void) {
  if (atomic_exchange(&dying, 1)) {
    for (;;) pause();
  }
  if (mark_path) {
    long fd = syscall(SYS_openat, AT_FDCWD, mark_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
      syscall(SYS_write, (int)fd, phase_names[phase], strlen(phase_names[phase]));
      syscall(SYS_close, (int)fd);
    }
  }
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static int reached(void) { return atomic_fetch_add(&seen, 1) + 1 == target; }

/* Phases that end at a webhook on its way. */
static int is_under_way(void) { return phase == SENT || phase == RESEND || phase == PROBE; }

/* Nothing came from outside for a while: what the store writes now, it writes on its own account. */
static int is_idle(void) { return now_ms() - atomic_load(&last_input_ms) > 100; }

/* Whether this write or sync of the store is one that the phase counts. */
static int counts(enum who who, enum file file) {
  switch (phase) {
    case MIGRATION: return who == MAIN;
    case CHECKPOINT: return who == STORE && file == DATABASE && !atomic_load(&stopping);
    case SWEEP: return who == STORE && file == LOG && is_idle() && !atomic_load(&stopping);
    case STOP: return who == STORE && atomic_load(&stopping);
    case STORM: return who == STORE && file == LOG;
    case RESEND: return side == TORN && who == STORE && file == LOG;
    default: return 0;
  }
}

static ssize_t store_write(int fd, const void *bytes, size_t count, off64_t offset, enum file file) {
  enum who who = caller();
  int hit = counts(who, file) && reached();
  if (who == STORE && file == LOG) {
    if (phase == BEFORE_APPEND && !group_open && reached()) end_here();
    group_open = 1;
    if (offset >= 32) group_has_frames = 1;
    if (unsynced_from < 0 || offset < unsynced_from) unsynced_from = offset;
  }
  if (hit && side == BEFORE) end_here();
  if (hit && side == TORN) {
    syscall(SYS_pwrite64, fd, bytes, count / 2, offset);
    end_here();
  }
  ssize_t result = syscall(SYS_pwrite64, fd, bytes, count, offset);
  if (hit) end_here();
  return result;
}

static int store_sync(int fd, long number, enum file file) {
  enum who who = caller();
  int hit = counts(who, file) && reached();
  int ends_group = who == STORE && file == LOG && group_has_frames;
  if (hit && side != AFTER) end_here();
  if (ends_group && phase == APPENDED && reached()) {
    /* As if the power had gone: what was not synced is not there. */
    if (side == TORN && unsynced_from >= 0) syscall(SYS_ftruncate, fd, unsynced_from);
    end_here();
  }
  int result = (int)syscall(number, fd);
  if (hit) end_here();
  if (ends_group && phase == COMMITTED && reached()) end_here();
  if (who == STORE && file == LOG) {
    unsynced_from = -1;
    if (ends_group) group_open = group_has_frames = 0;
  }
  return result;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  enum file file = phase == NO_PHASE ? NEITHER : file_of(fd);
  if (file == NEITHER) return syscall(SYS_pwrite64, fd, bytes, count, offset);
  return store_write(fd, bytes, count, offset, file);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }

int fdatasync(int fd) {
  enum file file = phase == NO_PHASE ? NEITHER : file_of(fd);
  if (file == NEITHER) return (int)syscall(SYS_fdatasync, fd);
  return store_sync(fd, SYS_fdatasync, file);
}

int fsync(int fd) {
  enum file file = phase == NO_PHASE ? NEITHER : file_of(fd);
  if (file == NEITHER) return (int)syscall(SYS_fsync, fd);
  return store_sync(fd, SYS_fsync, file);
}

/* The answers to what was committed are on another thread's way out; they are given a little time to
 * leave, so that the client has been told when the webhook has not. */
static void let_answers_leave(void) {
  long before = atomic_load(&answers_sent), deadline = now_ms() + 20;
  struct timespec moment = {0, 200000};
  while (atomic_load(&answers_sent) == before && now_ms() < deadline) nanosleep(&moment, NULL);
}

ssize_t send(int fd, const void *bytes, size_t count, int flags) {
  enum who who = phase == NO_PHASE ? OTHER : caller();
  int is_webhook = who == DELIVERY && count > 5 && !memcmp(bytes, "POST ", 5);
  if (is_webhook && phase == ANSWERED && reached()) {
    let_answers_leave();
    end_here();
  }
  ssize_t result = syscall(SYS_sendto, fd, bytes, count, flags, NULL, 0);
  if (who == INTAKE) atomic_fetch_add(&answers_sent, 1);
  if (is_webhook && is_under_way() && side == BEFORE && reached()) end_here();
  return result;
}

ssize_t recv(int fd, void *bytes, size_t count, int flags) {
  ssize_t result = syscall(SYS_recvfrom, fd, bytes, count, flags, NULL, NULL);
  if (phase == NO_PHASE || result <= 0) return result;
  enum who who = caller();
  if (who == INTAKE || who == DELIVERY) atomic_store(&last_input_ms, now_ms());
  int is_answer = who == DELIVERY && result > 5 && !memcmp(bytes, "HTTP/", 5);
  if (is_answer && is_under_way() && side == AFTER && reached()) end_here();
  return result;
}

/* Only the budget of rules asks for the coarse clock, now and then between two instructions. */
int clock_gettime(clockid_t clock, struct timespec *time) {
  if (phase == REPLAY && clock == CLOCK_MONOTONIC_COARSE && caller() == LANE && reached()) end_here();
  return (int)syscall(SYS_clock_gettime, clock, time);
}

/* The intake takes its admin socket away when it stops; from then on the store finishes its work. */
int unlink(const char *path) {
  if (phase != NO_PHASE && ends_with(path, strlen(path), ".sock") && caller() == INTAKE) atomic_store(&stopping, 1);
  return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
