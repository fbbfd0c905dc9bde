/*
 * The list of events that a run was begun with, as Lua sees it: read-only, counted from 1. Swift is asked
 * for an event when the rule looks at it, so that a thousand of them cost nothing while nobody does.
 *
 * Thread: the host's. Promise: the same place gives the same handle within a run; places beyond the list are nil.
 */
#include "host_private.h"

#include <stdlib.h>

bool events_begin(rule_host *host) {
  uint32_t count = host->input->collected;
  if (count > host->events_capacity) {
    uint32_t *events = realloc(host->events, count * sizeof *events);
    if (!events) return false;
    host->events = events;
    host->events_capacity = count;
  }
  for (uint32_t i = 0; i < count; i++) host->events[i] = 0;
  return true;
}

lua_Integer events_count(const rule_host *host) { return host->input->collected; }

void events_push(lua_State *L, lua_Integer position) {
  rule_host *host = host_of(L);
  if (position < 1 || position > events_count(host)) {
    lua_pushnil(L);
    return;
  }
  uint32_t *slot = &host->events[position - 1];
  if (*slot) {
    values_push_handle(L, *slot, 0);
    return;
  }
  host_push_collected(L, position);
  if (values_is_handle(L, -1)) *slot = values_slot(L, -1);
}

int events_index(lua_State *L) {
  if (lua_isinteger(L, 2)) return events_push(L, lua_tointeger(L, 2)), 1;
  if (lua_type(L, 2) == LUA_TSTRING)
    return luaL_error(L, "events is a list: write events[1].%s, or walk it with ipairs", lua_tostring(L, 2));
  return lua_pushnil(L), 1;
}

/* Upvalue: the position of the last one. */
static int next_of_events(lua_State *L) {
  lua_Integer position = lua_tointeger(L, lua_upvalueindex(1)) + 1;
  if (position > events_count(host_of(L))) return lua_pushnil(L), 1;
  lua_pushinteger(L, position);
  lua_copy(L, -1, lua_upvalueindex(1));
  events_push(L, position);
  return 2;
}

int events_pairs(lua_State *L) {
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_of_events, 1);
  lua_pushvalue(L, 1);
  return 2;
}
