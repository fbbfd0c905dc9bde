/*
 * Tables in rules: frozen ones, `pairs` in a fixed order, and a sort that is stable.
 *
 * Thread: the host's. Promise: the order never depends on addresses or on how a table came about; the
 * work of each function is charged to the budget.
 */
#include "host_private.h"

#include <stdlib.h>
#include <string.h>

/* Key of the mark in the metatable of a frozen table. */
static char frozen_mark;

/* A frozen table is empty, so that every write reaches __newindex; its entries stand in a table behind. */
bool tables_is_frozen(lua_State *L, int index) {
  if (!lua_getmetatable(L, index)) return false;
  bool marked = lua_rawgetp(L, -1, &frozen_mark) == LUA_TBOOLEAN;
  lua_pop(L, 2);
  return marked;
}

void tables_push_entries(lua_State *L, int index) {
  if (!lua_getmetatable(L, index)) {
    lua_pushvalue(L, index);
    return;
  }
  lua_pushstring(L, "__index");
  lua_rawget(L, -2);
  if (!lua_istable(L, -1)) luaL_error(L, "state cannot be used as a whole; name its keys, such as state.count");
  lua_remove(L, -2);
}

static int frozen_write(lua_State *L) {
  if (lua_type(L, 2) == LUA_TSTRING)
    return luaL_error(L, "cannot set '%s': this table is read-only, because nothing outside run may change between "
                         "runs; use state, or a table made inside run", lua_tostring(L, 2));
  return luaL_error(L, "this table is read-only, because nothing outside run may change between runs; use state, or "
                       "a table made inside run");
}

static int frozen_length(lua_State *L) {
  tables_push_entries(L, 1);
  lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
  return 1;
}

/* Freezes in place, so that everyone who holds the table holds the frozen one. */
void tables_freeze_one(lua_State *L, int index) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 8, NULL);
  lua_newtable(L);
  int entries = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, index);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, entries);
  }
  /* Setting fields to nil while traversing is allowed. */
  for (lua_pushnil(L); lua_next(L, index);) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, index);
  }
  lua_createtable(L, 0, 4);
  lua_pushvalue(L, entries);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, frozen_write);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, frozen_length);
  lua_setfield(L, -2, "__len");
  lua_pushboolean(L, 1);
  lua_rawsetp(L, -2, &frozen_mark);
  lua_setmetatable(L, index);
  lua_pop(L, 1);
}

/* pairs */

enum key_class { KEY_NUMBER = 0, KEY_TEXT = 1, KEY_BOOLEAN = 2 };

typedef struct ordered_key {
  int key_class;
  int position; /* in the table of keys */
  bool integer;
  lua_Integer whole; /* also a boolean */
  lua_Number number;
  const char *bytes;
  size_t count;
} ordered_key;

static int compare_numbers(const ordered_key *a, const ordered_key *b) {
  if (a->integer && b->integer) return (a->whole > b->whole) - (a->whole < b->whole);
  /* A long double holds every integer of 64 bits and every double exactly. */
  long double x = a->integer ? (long double)a->whole : (long double)a->number;
  long double y = b->integer ? (long double)b->whole : (long double)b->number;
  return (x > y) - (x < y);
}

static int compare_keys(const void *left, const void *right) {
  const ordered_key *a = left, *b = right;
  if (a->key_class != b->key_class) return a->key_class - b->key_class;
  if (a->key_class == KEY_NUMBER) return compare_numbers(a, b);
  if (a->key_class == KEY_BOOLEAN) return (int)(a->whole - b->whole);
  int order = memcmp(a->bytes, b->bytes, a->count < b->count ? a->count : b->count);
  return order ? order : (a->count > b->count) - (a->count < b->count);
}

/* Describes the key at `index`. */
static void describe_key(lua_State *L, int index, ordered_key *key) {
  switch (lua_type(L, index)) {
    case LUA_TNUMBER:
      key->key_class = KEY_NUMBER;
      key->integer = lua_isinteger(L, index);
      if (key->integer) key->whole = lua_tointeger(L, index);
      else key->number = lua_tonumber(L, index);
      return;
    case LUA_TSTRING:
      key->key_class = KEY_TEXT;
      key->bytes = lua_tolstring(L, index, &key->count);
      return;
    case LUA_TBOOLEAN:
      key->key_class = KEY_BOOLEAN;
      key->whole = lua_toboolean(L, index);
      return;
    default:
      luaL_error(L, "pairs: a key is a %s, and such keys have no fixed order; use texts or numbers as keys",
                 values_type_name(L, index));
  }
}

static size_t count_entries(lua_State *L, int entries) {
  size_t count = 0;
  for (lua_pushnil(L); lua_next(L, entries); lua_pop(L, 1)) count++;
  return count;
}

/* Upvalues: keys as they came, their order, next position, entries. */
static int next_of_table(lua_State *L) {
  const ordered_key *order = lua_touserdata(L, lua_upvalueindex(2));
  size_t count = lua_rawlen(L, lua_upvalueindex(2)) / sizeof(ordered_key);
  size_t position = (size_t)lua_tointeger(L, lua_upvalueindex(3));
  for (; position < count; position++) {
    lua_rawgeti(L, lua_upvalueindex(1), order[position].position);
    lua_pushvalue(L, -1);
    lua_rawget(L, lua_upvalueindex(4));
    if (!lua_isnil(L, -1)) {
      lua_pushinteger(L, (lua_Integer)position + 1);
      lua_replace(L, lua_upvalueindex(3));
      return 2;
    }
    lua_pop(L, 2); /* removed meanwhile */
  }
  return lua_pushnil(L), 1;
}

static int pairs_of_table(lua_State *L) {
  tables_push_entries(L, 1);
  int entries = lua_gettop(L);
  size_t count = count_entries(L, entries);
  budget_charge(L, 8 + 4 * count);
  lua_createtable(L, (int)count, 0);
  int keys = lua_gettop(L);
  ordered_key *order = lua_newuserdatauv(L, count * sizeof(ordered_key), 0);
  int position = 0;
  for (lua_pushnil(L); lua_next(L, entries); lua_pop(L, 1)) {
    describe_key(L, -2, &order[position]);
    order[position].position = position + 1;
    lua_pushvalue(L, -2);
    lua_rawseti(L, keys, ++position);
  }
  if (count > 1) qsort(order, count, sizeof(ordered_key), compare_keys);
  lua_pushinteger(L, 0);
  lua_pushvalue(L, entries);
  lua_pushcclosure(L, next_of_table, 4);
  lua_pushvalue(L, 1);
  return 2;
}

/* Upvalues: position from 0, node of the next key or element, and the handle these belong to: what a rule
 * passes to it by hand does not count. */
static int next_of_handle(lua_State *L) {
  const document *d;
  uint32_t root, slot;
  enum slot kind;
  if (!values_document(L, lua_upvalueindex(3), &d, &root, &slot, &kind)) return lua_pushnil(L), 1;
  const document_node *nodes = document_nodes(d);
  lua_Integer position = lua_tointeger(L, lua_upvalueindex(1));
  uint32_t node = (uint32_t)lua_tointeger(L, lua_upvalueindex(2));
  bool object = nodes[root].kind == DOCUMENT_OBJECT;
  for (; position < (lua_Integer)nodes[root].count; position++) {
    uint32_t value = object ? node + 1 : node, key = node;
    node = document_after(d, value);
    if (nodes[value].kind == DOCUMENT_NULL) continue;
    if (object) lua_pushlstring(L, document_string(d, nodes + key), nodes[key].count);
    else lua_pushinteger(L, position + 1);
    values_push_node(L, d, slot, value);
    lua_pushinteger(L, position + 1);
    lua_replace(L, lua_upvalueindex(1));
    lua_pushinteger(L, node);
    lua_replace(L, lua_upvalueindex(2));
    return 2;
  }
  lua_pushinteger(L, position);
  lua_replace(L, lua_upvalueindex(1));
  return lua_pushnil(L), 1;
}

static int pairs_of_handle(lua_State *L) {
  const document *d;
  uint32_t node, slot;
  enum slot kind;
  bool found = values_document(L, 1, &d, &node, &slot, &kind);
  if (kind == SLOT_EVENTS) return events_pairs(L);
  if (!found && kind != SLOT_NOTHING)
    return luaL_error(L, "pairs walks event.data or customer.traits; event and customer themselves have fixed fields");
  lua_pushinteger(L, 0);
  lua_pushinteger(L, (lua_Integer)node + 1);
  if (found) values_push_handle(L, slot, node);
  else values_push_handle(L, SLOT_NOTHING, 0);
  lua_pushcclosure(L, next_of_handle, 3);
  lua_pushvalue(L, 1);
  return 2;
}

static int next_of_nothing(lua_State *L) { return lua_pushnil(L), 1; }

int tables_pairs(lua_State *L) {
  if (values_is_handle(L, 1)) return pairs_of_handle(L);
  if (lua_touserdata(L, 1) == &values_empty_list) return lua_pushcfunction(L, next_of_nothing), 1;
  if (!lua_istable(L, 1)) return luaL_error(L, "pairs needs a table; this is a %s", values_type_name(L, 1));
  return pairs_of_table(L);
}

/* sort: stable, by merging; positions move, values are written back at the end. */

enum { SORT_LIMIT = 100000, SORT_COPY = 3, SORT_ORDER = 2 };

/* Whether element b must stand before element a. */
static bool goes_before(lua_State *L, int b, int a) {
  budget_charge(L, 2);
  if (lua_isnil(L, SORT_ORDER)) {
    lua_rawgeti(L, SORT_COPY, b);
    lua_rawgeti(L, SORT_COPY, a);
    bool less = lua_compare(L, -2, -1, LUA_OPLT);
    lua_pop(L, 2);
    return less;
  }
  lua_pushvalue(L, SORT_ORDER);
  lua_rawgeti(L, SORT_COPY, b);
  lua_rawgeti(L, SORT_COPY, a);
  lua_call(L, 2, 1);
  bool less = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return less;
}

static void merge_runs(lua_State *L, const int *from, int *to, size_t low, size_t middle, size_t high) {
  size_t left = low, right = middle;
  for (size_t out = low; out < high; out++) {
    bool take_right = left == middle || (right < high && goes_before(L, from[right], from[left]));
    to[out] = take_right ? from[right++] : from[left++];
  }
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

int tables_sort(lua_State *L) {
  if (!lua_istable(L, 1)) return luaL_error(L, "table.sort needs a table made by this rule; this is a %s", values_type_name(L, 1));
  if (lua_getmetatable(L, 1)) return luaL_error(L, "table.sort: this table is read-only; copy it into a local table first");
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  size_t count = lua_rawlen(L, 1);
  if (count > SORT_LIMIT) return luaL_error(L, "table.sort takes up to %d elements; these are %d", SORT_LIMIT, (int)count);
  budget_charge(L, 4 * count);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 1; i <= count; i++) {
    lua_rawgeti(L, 1, (lua_Integer)i);
    lua_rawseti(L, SORT_COPY, (lua_Integer)i);
  }
  int *from = lua_newuserdatauv(L, (count + 1) * 2 * sizeof(int), 0);
  int *to = from + count + 1;
  for (size_t i = 0; i < count; i++) from[i] = (int)i + 1;
  for (size_t width = 1; width < count; width *= 2) {
    for (size_t low = 0; low < count; low += 2 * width)
      merge_runs(L, from, to, low, smaller(low + width, count), smaller(low + 2 * width, count));
    int *other = from;
    from = to;
    to = other;
  }
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, SORT_COPY, from[i]);
    lua_rawseti(L, 1, (lua_Integer)i + 1);
  }
  return 0;
}
