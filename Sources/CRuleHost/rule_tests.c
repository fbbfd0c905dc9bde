/*
 * Tests of rules: the words of a test file, and the `t` that each test gets. What the words of `t` mean
 * is Swift's affair; here they are one closure each over their number.
 *
 * Thread: the host's. Promise: a test reaches the same sandbox as a rule, and beyond it only what Swift
 * answers; a word that does not exist is an error and never nil.
 */
#include "host_private.h"

static int word_test(lua_State *L) {
  rule_host *host = host_of(L);
  if (host->phase != PHASE_DECLARING) return luaL_error(L, "test(…) stands at the top of a test file, not inside of a test");
  if (lua_gettop(L) != 2 || lua_type(L, 1) != LUA_TSTRING || !lua_isfunction(L, 2) || lua_iscfunction(L, 2))
    return luaL_error(L, "test takes a sentence and a function: test(\"what is expected\", function(t) … end)");
  lua_Debug record;
  lua_pushvalue(L, 2);
  lua_getinfo(L, ">S", &record);
  lua_pushvalue(L, 2);
  host_add_function(L, host, luaL_ref(L, LUA_REGISTRYINDEX), record.linedefined);
  lua_settop(L, 1);
  lua_pushinteger(L, record.linedefined);
  lua_pushinteger(L, (lua_Integer)host->report.slot);
  return host_ask(L, RULE_WORD_TEST, "test");
}

static int word_rules(lua_State *L) {
  if (host_of(L)->phase != PHASE_DECLARING) return luaL_error(L, "rules { … } stands at the top of a test file, not inside of a test");
  if (lua_gettop(L) != 1 || !lua_istable(L, 1)) return luaL_error(L, "rules takes a list of rules: rules { \"other/rule\" }");
  return host_ask(L, RULE_WORD_RULES, "rules");
}

/* A word of `t`, by its number and name. */
static int word_of_test(lua_State *L) {
  rule_host *host = host_of(L);
  const char *name = lua_tostring(L, lua_upvalueindex(2));
  if (host->phase != PHASE_TESTING) return luaL_error(L, "t:%s can only be used inside of a test", name);
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->test_ref);
  bool has_self = lua_gettop(L) > 1 && lua_rawequal(L, 1, -1);
  lua_pop(L, 1);
  if (!has_self) return luaL_error(L, "write t:%s(…), with a colon", name);
  lua_remove(L, 1);
  return host_ask(L, (uint32_t)lua_tointeger(L, lua_upvalueindex(1)), name);
}

static int missing_word(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "t has words only, such as t:event(…)");
  lua_remove(L, 1);
  lua_settop(L, 1);
  return host_ask(L, RULE_WORD_MISSING, "t");
}

/* Leaves `t` in the registry and returns where. */
int tests_install(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, host_of(L)->words_ref);
  lua_pushstring(L, "test");
  lua_pushcfunction(L, word_test);
  lua_rawset(L, -3);
  lua_pushstring(L, "rules");
  lua_pushcfunction(L, word_rules);
  lua_rawset(L, -3);
  lua_newtable(L);
  tables_freeze_one(L, -1);
  tables_push_entries(L, -1);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, missing_word);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

void tests_add_word(lua_State *L, const char *name, uint32_t word) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, host_of(L)->test_ref);
  tables_push_entries(L, -1);
  lua_pushstring(L, name);
  lua_pushinteger(L, (lua_Integer)word);
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, word_of_test, 2);
  lua_rawset(L, -3);
}
