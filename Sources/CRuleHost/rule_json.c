/*
 * Lua values as JSON text: what rules hand out. Tables are written directly, handles are copied from
 * their document. Keys are sorted, so the same table always gives the same bytes.
 *
 * Thread: the host's. Promise: what cannot be said in JSON is an error that names the place; the text
 * is valid UTF-8.
 */
#include "host_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 64 };

typedef struct writer {
  lua_State *L;
  document_buffer *out;
  bool functions; /* headers hold functions; data must not */
  int depth;
  const void *open[DEPTH]; /* the tables around the current value */
} writer;

typedef struct member {
  const char *bytes;
  size_t count;
} member;

static void write_value(writer *w, int index);

static void put(writer *w, const char *text) { document_buffer_append(w->out, text, strlen(text)); }

/* Most texts are short and plain. */
static bool is_ascii(const char *bytes, size_t count) {
  if (count > 32) return false;
  for (size_t i = 0; i < count; i++)
    if ((unsigned char)bytes[i] >= 0x80) return false;
  return true;
}

bool json_is_text(const char *bytes, size_t count) { return is_ascii(bytes, count) || document_valid_utf8(bytes, count); }

static void write_text(writer *w, int index) {
  size_t count;
  const char *bytes = lua_tolstring(w->L, index, &count);
  if (!json_is_text(bytes, count)) luaL_error(w->L, "a text in the data is not valid UTF-8");
  budget_charge(w->L, 1 + (count >> 4));
  document_write_string(w->out, bytes, count);
}

static void write_number(writer *w, int index) {
  if (lua_isinteger(w->L, index)) {
    document_write_integer(w->out, lua_tointeger(w->L, index));
    return;
  }
  lua_Number number = lua_tonumber(w->L, index);
  if (!isfinite(number))
    luaL_error(w->L, "the data holds a number that is %s, which JSON cannot say; did a division by zero make it?",
               isnan(number) ? "not a number (nan)" : "infinite (inf)");
  document_write_double(w->out, number);
}

static void write_light(writer *w, int index) {
  const void *p = lua_touserdata(w->L, index);
  if (p == &values_null) return put(w, "null");
  if (p == &values_empty_list) return put(w, "[]");
  const document *d;
  uint32_t node;
  uint32_t number;
  enum slot slot;
  if (values_document(w->L, index, &d, &node, &number, &slot)) {
    size_t before = w->out->count;
    document_write_node(w->out, d, node);
    budget_charge(w->L, (w->out->count - before) >> 4);
    return;
  }
  if (slot == SLOT_NOTHING) return put(w, "{}");
  if (slot == SLOT_EVENTS) luaL_error(w->L, "the data holds the whole list of events; name what you need, such as events[1].data");
  luaL_error(w->L, "the data holds the whole %s; name the fields you need, such as %s",
             slot == SLOT_EVENT ? "event" : "customer", slot == SLOT_EVENT ? "event.data" : "customer.id");
}

static int compare_members(const void *left, const void *right) {
  const member *a = left, *b = right;
  int order = memcmp(a->bytes, b->bytes, a->count < b->count ? a->count : b->count);
  if (order) return order;
  return (a->count > b->count) - (a->count < b->count);
}

static void write_array(writer *w, int entries, lua_Integer count) {
  put(w, "[");
  for (lua_Integer i = 1; i <= count; i++) {
    if (i > 1) put(w, ",");
    lua_rawgeti(w->L, entries, i);
    write_value(w, lua_gettop(w->L));
    lua_pop(w->L, 1);
  }
  put(w, "]");
}

/* Few members, as in most data, are ordered where they stand. */
static void sort_members(member *members, size_t count) {
  if (count > 12) {
    qsort(members, count, sizeof *members, compare_members);
    return;
  }
  for (size_t i = 1; i < count; i++) {
    member m = members[i];
    size_t at = i;
    for (; at > 0 && compare_members(&members[at - 1], &m) > 0; at--) members[at] = members[at - 1];
    members[at] = m;
  }
}

enum { MEMBERS_ON_STACK = 16 };

/* Collects the keys, which the table keeps alive, and sorts them. */
static void write_object(writer *w, int entries, size_t count) {
  lua_State *L = w->L;
  member few[MEMBERS_ON_STACK], *members = few;
  if (count > MEMBERS_ON_STACK) members = lua_newuserdatauv(L, count * sizeof(member), 0);
  else lua_pushnil(L);
  size_t next = 0;
  for (lua_pushnil(L); lua_next(L, entries); lua_pop(L, 1)) {
    members[next].bytes = lua_tolstring(L, -2, &members[next].count);
    next++;
  }
  sort_members(members, count);
  put(w, "{");
  for (size_t i = 0; i < count; i++) {
    if (i) put(w, ",");
    lua_pushlstring(L, members[i].bytes, members[i].count);
    write_text(w, lua_gettop(L));
    put(w, ":");
    lua_rawget(L, entries);
    write_value(w, lua_gettop(L));
    lua_pop(L, 1);
  }
  put(w, "}");
  lua_pop(L, 1);
}

/* Counts keys by kind; a table is a list when its keys are exactly 1 to n. */
static void count_keys(lua_State *L, int entries, size_t *texts, size_t *numbers) {
  *texts = *numbers = 0;
  for (lua_pushnil(L); lua_next(L, entries); lua_pop(L, 1)) {
    /* At once and not in the end: a key that is refused must not make the others free. */
    budget_charge(L, 2);
    int type = lua_type(L, -2);
    if (type == LUA_TSTRING) (*texts)++;
    else if (lua_isinteger(L, -2)) (*numbers)++;
    else luaL_error(L, "the data holds a table with a %s as key; keys must be texts", values_type_name(L, -2));
  }
}

static void write_table(writer *w, int index) {
  lua_State *L = w->L;
  const void *table = lua_topointer(L, index);
  for (int i = 0; i < w->depth; i++)
    if (w->open[i] == table) luaL_error(L, "the data holds a table that contains itself");
  if (w->depth == DEPTH) luaL_error(L, "the data is nested deeper than %d tables", DEPTH);
  luaL_checkstack(L, 8, "the data is nested too deeply");
  w->open[w->depth++] = table;
  tables_push_entries(L, index);
  int entries = lua_gettop(L);
  size_t texts, numbers;
  count_keys(L, entries, &texts, &numbers);
  budget_charge(L, 4);
  if (texts && numbers) luaL_error(L, "the data holds a table with both numbered and named entries; use one kind");
  if (texts || !numbers) write_object(w, entries, texts);
  else if (numbers == lua_rawlen(L, entries)) write_array(w, entries, (lua_Integer)numbers);
  else luaL_error(L, "the data holds a list with gaps; its keys must be 1, 2, 3 and so on");
  lua_pop(L, 1);
  w->depth--;
}

static void write_function(writer *w, int index) {
  if (!w->functions) luaL_error(w->L, "the data holds a function; call it and pass what it returns");
  lua_Debug record;
  lua_pushvalue(w->L, index);
  lua_getinfo(w->L, ">S", &record);
  put(w, "{\"$function\":");
  document_write_integer(w->out, record.linedefined);
  put(w, "}");
}

static void write_value(writer *w, int index) {
  switch (lua_type(w->L, index)) {
    case LUA_TNIL: put(w, "null"); break;
    case LUA_TBOOLEAN: put(w, lua_toboolean(w->L, index) ? "true" : "false"); break;
    case LUA_TNUMBER: write_number(w, index); break;
    case LUA_TSTRING: write_text(w, index); break;
    case LUA_TLIGHTUSERDATA: write_light(w, index); break;
    case LUA_TTABLE: write_table(w, index); break;
    default: write_function(w, index); break;
  }
  if (w->out->failed) luaL_error(w->L, "the data is larger than %d bytes as JSON", (int)w->out->limit);
}

void json_write(lua_State *L, int index, document_buffer *out, bool functions) {
  writer w; /* not cleared: most of it is the list of open tables */
  w.L = L;
  w.out = out;
  w.functions = functions;
  w.depth = 0;
  write_value(&w, lua_absindex(L, index));
}
