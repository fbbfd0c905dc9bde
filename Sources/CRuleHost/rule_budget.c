/*
 * What a run may use: memory through the allocator, work through the count hook and explicit charges,
 * CPU time as a second net. A reason to stop is sticky: no pcall of a rule can hold it.
 *
 * Thread: the host's. Promise: the count of units depends on the script and its input alone; after a
 * stop nothing but unwinding happens.
 */
#define _GNU_SOURCE
#include "host_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Instructions between two looks at the budget. Any hook costs the same whatever its interval. */
enum { HOOK_INTERVAL = 1000 };

static void on_count(lua_State *L, lua_Debug *record);

static int64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void budget_set_message(rule_host *host, const char *text, size_t count) {
  if (count > RULE_MESSAGE_BYTES) count = RULE_MESSAGE_BYTES;
  memcpy(host->report.message, text, count);
  host->report.message_count = (uint32_t)count;
}

static void set_message(rule_host *host, const char *text) { budget_set_message(host, text, strlen(text)); }

static void set_file(rule_host *host, const char *source) {
  if (*source == '@' || *source == '=') source++;
  size_t count = strlen(source);
  if (count >= RULE_FILE_BYTES) count = RULE_FILE_BYTES - 1;
  memcpy(host->report.file, source, count);
  host->report.file[count] = 0;
}

/* File and line of the innermost Lua function, from `first_level` on. Reads only, so that even the
 * allocator may ask. */
void budget_note(rule_host *host, lua_State *L, int first_level) {
  lua_Debug record;
  host->report.file[0] = 0;
  for (int level = first_level; level < first_level + 40 && lua_getstack(L, level, &record); level++) {
    if (!lua_getinfo(L, "Sl", &record) || record.currentline <= 0) continue;
    host->report.line = record.currentline;
    set_file(host, record.source);
    return;
  }
  host->report.line = host->fallback_line;
}

/* Memory. */

static bool refuse(rule_host *host) {
  /* Lua answers a refusal with a full collection and asks once more. Refused again, it raises; that
   * must not be held by a pcall, or a script could live at the limit and collect for ever. */
  if (!host->stop && host->L && host->phase != PHASE_IDLE) {
    budget_note(host, host->L, 0);
    if (host->refused) {
      host->stop = RULE_MEMORY;
      set_message(host, "the memory limit is reached: a text, a table or the depth of calls grew too large");
    }
  }
  host->refused = true;
  return false;
}

static bool may_grow(rule_host *host, size_t more, size_t whole) {
  host->allocations++;
  if (host->fail_from && host->allocations >= host->fail_from) return refuse(host);
  if (host->bytes + more > host->limits.state_bytes) return refuse(host);
  if (host->growth_bounded) {
    if (host->bytes + more > host->bytes_at_start + host->limits.growth_bytes) return refuse(host);
    if (whole > host->limits.block_bytes) return refuse(host);
  }
  return true;
}

void *budget_allocate(void *context, void *block, size_t old_size, size_t new_size) {
  rule_host *host = context;
  if (!block) old_size = 0; /* then it is a kind of object, not a size */
  if (new_size == 0) {
    free(block);
    host->bytes -= old_size;
    return NULL;
  }
  if (new_size > old_size && !may_grow(host, new_size - old_size, new_size)) return NULL;
  void *moved = realloc(block, new_size);
  if (!moved) {
    /* Lua relies on shrinking never to fail. */
    if (new_size <= old_size) return block;
    refuse(host);
    return NULL;
  }
  if (new_size > old_size) host->refused = false;
  host->bytes += new_size - old_size;
  return moved;
}

/* Units and time. */

void budget_begin(rule_host *host, bool hooked) {
  host->used = 0;
  host->stop = 0;
  host->refused = false;
  host->clock_started = false;
  host->bytes_at_start = host->bytes;
  host->collect_at = host->bytes + host->limits.growth_bytes / 2;
  host->growth_bounded = true;
  host->text.count = 0;
  host->text.failed = false;
  host->json.count = 0;
  host->json.failed = false;
  host->report.status = RULE_OK;
  host->report.line = 0;
  host->report.units = 0;
  host->report.message_count = 0;
  host->report.read_count = 0;
  host->report.state_changed = false;
  host->report.state_touched = host->report.all_traits = false;
  host->report.trait_count = 0;
  host->report.text = NULL;
  host->report.text_count = 0;
  host->report.file[0] = 0;
  lua_sethook(host->L, hooked ? on_count : NULL, hooked ? LUA_MASKCOUNT : 0, HOOK_INTERVAL);
}

/* What an honest run leaves behind is small; after more, everything is collected at once. */
enum { STEP_BYTES = 16 * 1024, HEAP_OF_GARBAGE = 1024 * 1024 };

/* The collector stands still during a run and is stepped here, when enough was allocated since. */
void budget_end(rule_host *host) {
  host->report.units = host->used;
  host->phase = PHASE_IDLE;
  host->growth_bounded = false;
  host->input = NULL;
  if (host->bytes > host->bytes_at_start + HEAP_OF_GARBAGE) lua_gc(host->L, LUA_GCCOLLECT);
  else if (host->bytes > host->bytes_at_step + STEP_BYTES) lua_gc(host->L, LUA_GCSTEP, STEP_BYTES / 1024);
  else if (host->bytes >= host->bytes_at_step) return;
  host->bytes_at_step = host->bytes;
}

_Noreturn void budget_raise_again(lua_State *L) {
  /* A light userdata is no allocation, so this cannot fail in turn. */
  lua_pushlightuserdata(L, &values_null);
  lua_error(L);
  abort(); /* lua_error does not return; the compiler cannot know. */
}

_Noreturn void budget_stop(lua_State *L, int status, const char *text, size_t count) {
  rule_host *host = host_of(L);
  if (!host->stop) {
    host->stop = status;
    budget_note(host, L, 0);
    budget_set_message(host, text, count);
  }
  lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
  budget_raise_again(L);
}

static _Noreturn void stop_units(lua_State *L) {
  char text[160];
  int count = snprintf(text, sizeof text,
                       "the budget of %llu steps is used up: does a loop never end, or is there too much to do at once?",
                       (unsigned long long)host_of(L)->limits.units);
  budget_stop(L, RULE_UNITS, text, (size_t)count);
}

void budget_charge(lua_State *L, uint64_t units) {
  rule_host *host = host_of(L);
  host->used += units;
  if (host->used > host->limits.units) stop_units(L);
}

static void check_garbage(lua_State *L, rule_host *host);

void budget_next(lua_State *L) {
  rule_host *host = host_of(L);
  host->replayed += host->used;
  host->used = 0;
  host->clock_started = false;
  host->report.read_count = 0;
  host->report.all_traits = false;
  host->report.trait_count = 0;
  check_garbage(L, host);
  if (host->replayed <= host->input->replay_units) return;
  static const char text[] = "playing this run again from its start takes too many steps; cut it short with checkpoint";
  budget_stop(L, RULE_UNITS, text, sizeof text - 1);
}

/* The coarse clock costs a few nanoseconds and moves every few milliseconds; only then is the CPU clock,
 * a system call, asked. A run of fewer instructions than one interval touches no clock at all. */
static void check_time(lua_State *L, rule_host *host) {
  int64_t coarse = clock_ns(CLOCK_MONOTONIC_COARSE);
  if (!host->clock_started) {
    host->clock_started = true;
    host->coarse = coarse;
    host->cpu_start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return;
  }
  if (coarse == host->coarse) return;
  host->coarse = coarse;
  if (clock_ns(CLOCK_THREAD_CPUTIME_ID) - host->cpu_start < host->limits.cpu_ns) return;
  char text[128];
  int count = snprintf(text, sizeof text, "the limit of %lld ms of CPU time is reached",
                       (long long)(host->limits.cpu_ns / 1000000));
  budget_stop(L, RULE_TIME, text, (size_t)count);
}

/* The collector stands still in a run. One that makes much garbage gets a full collection here, before
 * it meets its limit: some of Lua's buffers do not collect and ask again when they are refused. */
static void check_garbage(lua_State *L, rule_host *host) {
  if (host->bytes < host->collect_at) return;
  lua_gc(L, LUA_GCCOLLECT);
  host->collect_at = host->bytes + host->limits.growth_bytes / 4;
}

static void on_count(lua_State *L, lua_Debug *record) {
  (void)record;
  rule_host *host = host_of(L);
  if (host->stop) budget_raise_again(L);
  host->used += HOOK_INTERVAL;
  if (host->used > host->limits.units) stop_units(L);
  check_garbage(L, host);
  check_time(L, host);
}

/* Errors. */

/* When the message begins with "<short source>:<line>: ", takes both from it and returns what follows. */
static const char *strip_position(rule_host *host, const lua_Debug *record, const char *message) {
  size_t count = strlen(record->short_src);
  if (strncmp(message, record->short_src, count) != 0 || message[count] != ':') return NULL;
  char *end;
  long line = strtol(message + count + 1, &end, 10);
  if (end == message + count + 1 || end[0] != ':' || end[1] != ' ') return NULL;
  host->report.line = (int32_t)line;
  set_file(host, record->source);
  return end + 2;
}

static const char *text_position(rule_host *host, lua_State *L, const char *message) {
  lua_Debug record;
  for (int level = 1; level < 40 && lua_getstack(L, level, &record); level++) {
    if (!lua_getinfo(L, "Sl", &record) || record.currentline <= 0) continue;
    const char *rest = strip_position(host, &record, message);
    if (rest) return rest;
  }
  return message;
}

/* The message handler of every entry: notes where and what while the stack still stands. */
int budget_on_error(lua_State *L) {
  rule_host *host = host_of(L);
  if (host->stop) return 1;
  budget_note(host, L, 1);
  if (lua_type(L, 1) == LUA_TSTRING) {
    const char *rest = text_position(host, L, lua_tostring(L, 1));
    set_message(host, rest);
  } else if (lua_type(L, 1) == LUA_TNUMBER) {
    char text[64];
    snprintf(text, sizeof text, "error(%.14g)", lua_tonumber(L, 1));
    set_message(host, text);
  } else {
    char text[96];
    snprintf(text, sizeof text, "error(…) was called with a %s; give it a text", lua_typename(L, lua_type(L, 1)));
    set_message(host, text);
  }
  return 1;
}
