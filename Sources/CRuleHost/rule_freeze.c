/*
 * After a file has run, everything that outlives it becomes read-only: its tables are frozen, and its
 * closures are handed out as bytecode so that the loader can refuse those that assign to a variable
 * which would live on between runs.
 *
 * Thread: the host's, while loading. Promise: no value reachable from a loaded file can change later.
 */
#include "host_private.h"

#include <string.h>

/* Stack of the walk: what is still to be visited, and what has been met. */
enum { SEEN = 1, QUEUE = 2 };

static void enqueue(lua_State *L, int index, lua_Integer *last) {
  int type = lua_type(L, index);
  if (type != LUA_TTABLE && type != LUA_TFUNCTION) return;
  index = lua_absindex(L, index);
  lua_pushvalue(L, index);
  if (lua_rawget(L, SEEN) == LUA_TNIL) {
    lua_pushvalue(L, index);
    lua_pushboolean(L, 1);
    lua_rawset(L, SEEN);
    lua_pushvalue(L, index);
    lua_rawseti(L, QUEUE, ++*last);
  }
  lua_pop(L, 1);
}

static int append_dump(lua_State *L, const void *bytes, size_t count, void *context) {
  (void)L;
  document_buffer_append(context, bytes, count);
  return 0;
}

static void keep_closure(lua_State *L, rule_host *host) {
  uint64_t size = 0;
  size_t start = host->closures.count;
  document_buffer_append(&host->closures, (const char *)&size, sizeof size);
  lua_dump(L, append_dump, &host->closures, 0);
  if (host->closures.failed) luaL_error(L, "this file keeps too many functions");
  size = host->closures.count - start - sizeof size;
  memcpy(host->closures.bytes + start, &size, sizeof size);
}

static void visit_function(lua_State *L, rule_host *host, lua_Integer *last) {
  int function = lua_gettop(L);
  if (lua_iscfunction(L, function)) {
    if (!lua_getupvalue(L, function, 1)) return;
    luaL_error(L, "an iterator (from pairs or gmatch) is kept outside run; it would go on where the last run stopped");
  }
  for (int i = 1; lua_getupvalue(L, function, i); i++) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    bool globals = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    if (!globals) enqueue(L, -1, last);
    lua_pop(L, 1);
  }
  if (host->keep_closures) keep_closure(L, host);
}

static void visit_table(lua_State *L, lua_Integer *last) {
  int table = lua_gettop(L);
  if (lua_getmetatable(L, table)) {
    lua_pop(L, 1);
    return; /* frozen already, or state */
  }
  for (lua_pushnil(L); lua_next(L, table);) {
    enqueue(L, -2, last);
    enqueue(L, -1, last);
    lua_pop(L, 1);
  }
  tables_freeze_one(L, table);
}

static int walk(lua_State *L) {
  rule_host *host = host_of(L);
  lua_newtable(L);
  lua_insert(L, SEEN);
  lua_newtable(L);
  lua_insert(L, QUEUE);
  lua_Integer last = 0;
  enqueue(L, 3, &last);
  for (lua_Integer next = 1; next <= last; next++) {
    budget_charge(L, 4);
    lua_rawgeti(L, QUEUE, next);
    if (lua_istable(L, -1)) visit_table(L, &last);
    else visit_function(L, host, &last);
    lua_settop(L, 3);
  }
  return 0;
}

void freeze_reachable(lua_State *L, int index) {
  index = lua_absindex(L, index);
  lua_pushcfunction(L, walk);
  lua_pushvalue(L, index);
  lua_call(L, 1, 0);
}
