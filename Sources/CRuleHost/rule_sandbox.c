/*
 * The world a rule lives in: exactly the names listed here and no others. Stock functions whose work
 * depends on the size of their arguments are wrapped by ours, which charge first.
 *
 * Thread: the host's, while it is created. Promise: nothing reaches files, clocks, addresses,
 * metatables, the collector, code loading or another rule's memory.
 */
#include "host_private.h"

#include <stdio.h>
#include <string.h>

/* Suggestions. */

static int minimum(int a, int b) { return a < b ? a : b; }

/* Edits between two names, a swap of neighbours counting as one. */
static int distance(const char *a, int a_count, const char *b, int b_count) {
  int rows[3][34];
  for (int j = 0; j <= b_count; j++) rows[0][j] = j;
  for (int i = 1; i <= a_count; i++) {
    int *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
    row[0] = i;
    for (int j = 1; j <= b_count; j++) {
      row[j] = minimum(minimum(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = minimum(row[j], two_above[j - 2] + 1);
    }
  }
  return rows[a_count % 3][b_count];
}

const char *sandbox_nearest(const char *word, const char *const *names) {
  size_t count = strlen(word);
  if (count < 2 || count > 32) return NULL;
  const char *best = NULL;
  int best_distance = count <= 4 ? 2 : 3;
  for (; *names; names++) {
    size_t name_count = strlen(*names);
    if (name_count > 32) continue;
    int d = distance(word, (int)count, *names, (int)name_count);
    if (d < best_distance) {
      best_distance = d;
      best = *names;
    }
  }
  return best;
}

/* Basic functions. */

static int basic_pcall(lua_State *L) {
  luaL_checkany(L, 1);
  rule_host *host = host_of(L);
  size_t text = host->text.count, json = host->json.count;
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  /* A limit or skip() is not the rule's to catch; nor is an error while handling one. */
  if (host->stop) budget_raise_again(L);
  host->text.count = text;
  host->json.count = json;
  host->text.failed = host->json.failed = false;
  if (status == LUA_ERRMEM || status == LUA_ERRERR) budget_stop(L, RULE_MEMORY, "the memory limit is reached", 27);
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  return lua_gettop(L);
}

static int basic_type(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushstring(L, values_type_name(L, 1));
  return 1;
}

void sandbox_push_text(lua_State *L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TSTRING:
    case LUA_TNUMBER:
    case LUA_TBOOLEAN:
    case LUA_TNIL:
      luaL_tolstring(L, index, NULL);
      return;
    default: lua_pushstring(L, values_type_name(L, index));
  }
}

static int basic_tostring(lua_State *L) {
  luaL_checkany(L, 1);
  sandbox_push_text(L, 1);
  return 1;
}

/* Stock functions behind a charge. */

enum stock {
  STOCK_BYTE, STOCK_CHAR, STOCK_FORMAT, STOCK_LOWER, STOCK_REP, STOCK_REVERSE, STOCK_SUB, STOCK_UPPER,
  STOCK_INSERT, STOCK_REMOVE, STOCK_CONCAT, STOCK_UNPACK,
  STOCK_UTF8_CODEPOINT, STOCK_UTF8_CODES, STOCK_UTF8_LEN, STOCK_UTF8_OFFSET, STOCK_UTF8_CHAR, STOCK_TONUMBER
};

static void charge_text(lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TSTRING) budget_charge(L, 1 + (lua_rawlen(L, index) >> 3));
}

#define CHARGED_BY_TEXT(name, which)              \
  static int name(lua_State *L) {                 \
    charge_text(L, 1);                            \
    return host_of(L)->stock[which](L);           \
  }
CHARGED_BY_TEXT(string_lower, STOCK_LOWER)
CHARGED_BY_TEXT(string_upper, STOCK_UPPER)
CHARGED_BY_TEXT(string_reverse, STOCK_REVERSE)
CHARGED_BY_TEXT(string_sub, STOCK_SUB)
CHARGED_BY_TEXT(string_byte, STOCK_BYTE)
CHARGED_BY_TEXT(utf8_codepoint, STOCK_UTF8_CODEPOINT)
CHARGED_BY_TEXT(utf8_len, STOCK_UTF8_LEN)
CHARGED_BY_TEXT(utf8_offset, STOCK_UTF8_OFFSET)
CHARGED_BY_TEXT(utf8_codes, STOCK_UTF8_CODES)
CHARGED_BY_TEXT(basic_tonumber, STOCK_TONUMBER)

#define CHARGED_BY_COUNT(name, which)             \
  static int name(lua_State *L) {                 \
    budget_charge(L, (uint64_t)lua_gettop(L));    \
    return host_of(L)->stock[which](L);           \
  }
CHARGED_BY_COUNT(string_char, STOCK_CHAR)
CHARGED_BY_COUNT(utf8_char, STOCK_UTF8_CHAR)

enum { TEXT_LIMIT = 1 << 20, UNPACK_LIMIT = 250 };

static int string_rep(lua_State *L) {
  size_t count, separator;
  luaL_checklstring(L, 1, &count);
  lua_Integer times = luaL_checkinteger(L, 2);
  luaL_optlstring(L, 3, "", &separator);
  if (times > 0 && (count + separator) > 0 && (uint64_t)times > TEXT_LIMIT / (count + separator))
    return luaL_error(L, "string.rep: the result would be longer than %d bytes", TEXT_LIMIT);
  if (times > 0) budget_charge(L, 1 + (((count + separator) * (uint64_t)times) >> 3));
  return host_of(L)->stock[STOCK_REP](L);
}

/* Text for %s without addresses; %p, which would print one, is refused. */
static int string_format(lua_State *L) {
  size_t count;
  const char *format = luaL_checklstring(L, 1, &count);
  budget_charge(L, 1 + (count >> 2));
  int argument = 1;
  for (const char *p = format, *end = format + count; p < end; p++) {
    if (*p != '%') continue;
    if (++p < end && *p == '%') continue;
    while (p < end && (strchr("-+ #0123456789.", *p) && *p)) p++;
    argument++;
    if (p < end && *p == 'p') return luaL_error(L, "string.format: %%p is not available");
    if (p < end && *p == 's' && argument <= lua_gettop(L) && lua_type(L, argument) != LUA_TSTRING) {
      sandbox_push_text(L, argument);
      lua_replace(L, argument);
    }
    charge_text(L, argument);
  }
  return host_of(L)->stock[STOCK_FORMAT](L);
}

/* The number of elements, of whatever counts as a list. */
static uint64_t length(lua_State *L, int index) {
  lua_Integer count = lua_istable(L, index) || values_is_handle(L, index) ? luaL_len(L, index) : 0;
  return count > 0 ? (uint64_t)count : 0;
}

static int table_insert(lua_State *L) {
  budget_charge(L, lua_gettop(L) > 2 ? 1 + (length(L, 1) >> 1) : 1);
  return host_of(L)->stock[STOCK_INSERT](L);
}
static int table_remove(lua_State *L) {
  budget_charge(L, lua_gettop(L) > 1 ? 1 + (length(L, 1) >> 1) : 1);
  return host_of(L)->stock[STOCK_REMOVE](L);
}

static int table_concat(lua_State *L) {
  uint64_t count = length(L, 1);
  budget_charge(L, 1 + count);
  size_t separator;
  luaL_optlstring(L, 2, "", &separator);
  if (count && separator > TEXT_LIMIT / count)
    return luaL_error(L, "table.concat: the result would be longer than %d bytes", TEXT_LIMIT);
  budget_charge(L, (separator * count) >> 3);
  int pushed = host_of(L)->stock[STOCK_CONCAT](L);
  charge_text(L, -1);
  return pushed;
}

static int table_unpack(lua_State *L) {
  lua_Integer first = luaL_optinteger(L, 2, 1);
  lua_Integer last = lua_isnoneornil(L, 3) ? (lua_Integer)length(L, 1) : luaL_checkinteger(L, 3);
  if (last >= first && (uint64_t)last - (uint64_t)first >= UNPACK_LIMIT)
    return luaL_error(L, "table.unpack gives at most %d values", UNPACK_LIMIT);
  if (last >= first) budget_charge(L, 1 + (uint64_t)(last - first));
  return host_of(L)->stock[STOCK_UNPACK](L);
}

/* Building the libraries. */

static int missing_function(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING) return lua_pushnil(L), 1;
  return luaL_error(L, "there is no '%s' in this library; see the list of functions a rule may use", lua_tostring(L, 2));
}

/* Takes the stock function `name` of the library on top of the stack. */
static void take(lua_State *L, const char *name, enum stock which) {
  lua_getfield(L, -1, name);
  host_of(L)->stock[which] = lua_tocfunction(L, -1);
  lua_pop(L, 1);
}

static void open_stock(lua_State *L, lua_CFunction open) {
  lua_pushcfunction(L, open);
  lua_call(L, 0, 1);
}

/* Takes a finished library from the top, freezes it and files it under its name. */
static void publish(lua_State *L, int words, const char *name) {
  tables_freeze_one(L, -1);
  tables_push_entries(L, -1);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, missing_function);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
  lua_setfield(L, words, name);
}

static const luaL_Reg string_wrapped[] = {
    {"byte", string_byte}, {"char", string_char}, {"format", string_format}, {"lower", string_lower},
    {"rep", string_rep}, {"reverse", string_reverse}, {"sub", string_sub}, {"upper", string_upper}, {NULL, NULL}};

static void install_string(lua_State *L, int words) {
  open_stock(L, luaopen_string);
  take(L, "byte", STOCK_BYTE);
  take(L, "char", STOCK_CHAR);
  take(L, "format", STOCK_FORMAT);
  take(L, "lower", STOCK_LOWER);
  take(L, "rep", STOCK_REP);
  take(L, "reverse", STOCK_REVERSE);
  take(L, "sub", STOCK_SUB);
  take(L, "upper", STOCK_UPPER);
  lua_getfield(L, -1, "len"); /* constant time: as it is */
  lua_newtable(L);
  lua_insert(L, -2);
  lua_setfield(L, -2, "len");
  luaL_setfuncs(L, string_wrapped, 0);
  luaL_setfuncs(L, strings_functions, 0);
  lua_pushvalue(L, -1);
  publish(L, words, "string");
  /* Texts get a metatable of our own: methods, and no arithmetic on texts. */
  tables_push_entries(L, -1);
  lua_pushstring(L, "");
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_pop(L, 4);
}

static const luaL_Reg table_wrapped[] = {
    {"insert", table_insert}, {"remove", table_remove}, {"concat", table_concat},
    {"unpack", table_unpack}, {"sort", tables_sort}, {NULL, NULL}};

static void install_table(lua_State *L, int words) {
  open_stock(L, luaopen_table);
  take(L, "insert", STOCK_INSERT);
  take(L, "remove", STOCK_REMOVE);
  take(L, "concat", STOCK_CONCAT);
  take(L, "unpack", STOCK_UNPACK);
  lua_pop(L, 1);
  lua_newtable(L);
  luaL_setfuncs(L, table_wrapped, 0);
  publish(L, words, "table");
}

static const luaL_Reg utf8_wrapped[] = {
    {"char", utf8_char}, {"codepoint", utf8_codepoint}, {"codes", utf8_codes},
    {"len", utf8_len}, {"offset", utf8_offset}, {NULL, NULL}};

static void install_utf8(lua_State *L, int words) {
  open_stock(L, luaopen_utf8);
  take(L, "char", STOCK_UTF8_CHAR);
  take(L, "codepoint", STOCK_UTF8_CODEPOINT);
  take(L, "codes", STOCK_UTF8_CODES);
  take(L, "len", STOCK_UTF8_LEN);
  take(L, "offset", STOCK_UTF8_OFFSET);
  lua_getfield(L, -1, "charpattern");
  lua_newtable(L);
  lua_insert(L, -2);
  lua_setfield(L, -2, "charpattern");
  luaL_setfuncs(L, utf8_wrapped, 0);
  publish(L, words, "utf8");
  lua_pop(L, 1);
}

/* Copies the listed entries of the library on top into the table under it, which is left. */
static void copy_listed(lua_State *L, const char *const *names) {
  for (; *names; names++) {
    lua_getfield(L, -1, *names);
    lua_setfield(L, -3, *names);
  }
  lua_pop(L, 1);
}

static void install_math(lua_State *L, int words) {
  static const char *const names[] = {"abs", "ceil", "floor", "fmod", "huge", "max", "maxinteger", "min", "mininteger",
                                      "modf", "pi", "sqrt", "tointeger", "type", "ult", NULL};
  lua_newtable(L);
  open_stock(L, luaopen_math);
  copy_listed(L, names);
  publish(L, words, "math");
}

/* luaopen_base fills the table of globals, which at this moment is an empty one made for it. */
static void install_basic(lua_State *L, int words) {
  static const char *const names[] = {"assert", "error", "ipairs", "select", NULL};
  lua_pushvalue(L, words);
  open_stock(L, luaopen_base);
  take(L, "tonumber", STOCK_TONUMBER);
  copy_listed(L, names);
  lua_pop(L, 1);
  static const luaL_Reg own[] = {{"pcall", basic_pcall}, {"type", basic_type}, {"tostring", basic_tostring},
                                 {"tonumber", basic_tonumber}, {"pairs", tables_pairs}, {NULL, NULL}};
  lua_pushvalue(L, words);
  luaL_setfuncs(L, own, 0);
  luaL_setfuncs(L, host_words, 0);
  lua_pop(L, 1);
}

/* Globals. */

/* The names are found before anything runs; these two are the net below. */
static int unknown_global(lua_State *L) {
  return luaL_error(L, "there is no '%s' here; is it misspelt, or is a 'local' missing?", luaL_tolstring(L, 2, NULL));
}

static int write_global(lua_State *L) {
  const char *name = luaL_tolstring(L, 2, NULL);
  return luaL_error(L, "cannot set the global '%s'; write 'local %s = …'", name, name);
}

/* Globals are an empty table before the words, so that even a word that exists cannot be overwritten. */
static void install_globals(lua_State *L, int words) {
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, unknown_global);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, words);
  lua_newtable(L);
  lua_createtable(L, 0, 2);
  lua_pushvalue(L, words);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, write_global);
  lua_setfield(L, -2, "__newindex");
  lua_setmetatable(L, -2);
  lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

void sandbox_install(lua_State *L) {
  lua_newtable(L);
  int words = lua_gettop(L);
  install_basic(L, words);
  install_string(L, words);
  install_table(L, words);
  install_utf8(L, words);
  install_math(L, words);
  values_install(L);
  state_install(L);
  lua_setfield(L, words, "state");
  lua_pushlightuserdata(L, &values_null);
  lua_setfield(L, words, "null");
  lua_pushlightuserdata(L, &values_empty_list);
  lua_setfield(L, words, "empty_list");
  install_globals(L, words);
  host_of(L)->words_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}
