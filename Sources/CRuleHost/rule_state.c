/*
 * `state`: what a rule remembers about one subject between runs, flat and small; and the list of what
 * was read of things that change, kept for "why?".
 *
 * Thread: the host's. Promise: the text written has sorted keys, so equal states are equal bytes; a
 * write past a limit fails at its own line.
 */
#include "host_private.h"

#include <math.h>
#include <string.h>

/* Reads. */

static uint32_t cut_utf8(const char *text, size_t count, size_t room) {
  if (count <= room) return (uint32_t)count;
  while (room > 0 && ((unsigned char)text[room] & 0xC0) == 0x80) room--;
  return (uint32_t)room;
}

static void set_read_value(lua_State *L, rule_read *read, int value) {
  rule_host *host = host_of(L);
  if (lua_type(L, value) == LUA_TTABLE || values_is_handle(L, value)) {
    bool list = lua_rawlen(L, value) > 0;
    read->value_count = 5;
    memcpy(read->value, list ? "[...]" : "{...}", 5);
    return;
  }
  document_buffer *out = &host->json;
  size_t start = out->count;
  json_write_scalar(L, value, out);
  size_t count = out->count - start;
  read->value_count = cut_utf8(out->bytes + start, count, RULE_READ_VALUE);
  memcpy(read->value, out->bytes + start, read->value_count);
  out->count = start;
}

void state_note_read(lua_State *L, const char *prefix, const char *key, size_t count, int value) {
  rule_report *report = &host_of(L)->report;
  if (report->read_count == RULE_READS) return;
  rule_read *read = &report->reads[report->read_count];
  size_t prefix_count = strlen(prefix);
  uint32_t kept = cut_utf8(key, count, RULE_READ_NAME - prefix_count);
  memcpy(read->name, prefix, prefix_count);
  memcpy(read->name + prefix_count, key, kept);
  read->name_count = (uint32_t)prefix_count + kept;
  set_read_value(L, read, value);
  /* A loop that reads the same value again and again must not push the others out. */
  for (uint32_t i = 0; i < report->read_count; i++) {
    const rule_read *other = &report->reads[i];
    if (other->name_count == read->name_count && other->value_count == read->value_count &&
        memcmp(other->name, read->name, read->name_count) == 0 &&
        memcmp(other->value, read->value, read->value_count) == 0)
      return;
  }
  report->read_count++;
}

/* The state. */

/* Bytes an entry takes as text, escapes aside. */
static size_t entry_size(lua_State *L, size_t key_count, int value) {
  size_t count = 24;
  if (lua_type(L, value) == LUA_TSTRING) count = lua_rawlen(L, value) + 2;
  return key_count + count + 4;
}

static void fill(lua_State *L, rule_host *host, const document *d) {
  const document_node *nodes = document_nodes(d);
  uint32_t key = 1;
  for (uint32_t i = 0; i < nodes[0].count; i++) {
    lua_pushlstring(L, document_string(d, nodes + key), nodes[key].count);
    values_push_node(L, d, SLOT_NOTHING, key + 1);
    if (!lua_isnil(L, -1)) {
      host->state_keys++;
      host->state_size += entry_size(L, nodes[key].count, lua_gettop(L));
    }
    lua_rawset(L, -3);
    key = document_after(d, key + 1);
  }
}

static int fill_protected(lua_State *L) {
  const document *d = lua_touserdata(L, 1);
  lua_createtable(L, 0, (int)document_nodes(d)[0].count + 1);
  fill(L, host_of(L), d);
  return 1;
}

/* Parses the text given by the engine. The document belongs to C, so filling is called protected and
 * its error goes on only after the document is freed. */
static void load_given(lua_State *L, rule_host *host) {
  int status;
  document *d = document_parse(host->parser, host->input->state, host->input->state_count, &status);
  if (!d || document_nodes(d)[0].kind != DOCUMENT_OBJECT) {
    document_free(d);
    luaL_error(L, "the stored state of this rule is not a JSON object");
  }
  lua_pushcfunction(L, fill_protected);
  lua_pushlightuserdata(L, d);
  int code = lua_pcall(L, 1, 1, 0);
  document_free(d);
  if (code != LUA_OK) lua_error(L);
}

/* Pushes the table of the current run. */
static void push_table(lua_State *L, rule_host *host) {
  if (host->state_loaded) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->state_ref);
    return;
  }
  host->state_keys = 0;
  host->state_size = 2;
  if (host->input->state_count) load_given(L, host);
  else lua_createtable(L, 0, 4);
  lua_pushvalue(L, -1);
  lua_rawseti(L, LUA_REGISTRYINDEX, host->state_ref);
  host->state_loaded = true;
}

static const char *check_key(lua_State *L, rule_host *host, size_t *count) {
  if (host->phase != PHASE_RUNNING && host->phase != PHASE_WHEN)
    luaL_error(L, "state can only be used inside run and when");
  if (lua_type(L, 2) != LUA_TSTRING)
    luaL_error(L, "a key of state must be a text, such as state.count; this one is a %s", values_type_name(L, 2));
  const char *key = lua_tolstring(L, 2, count);
  if (*count == 0 || *count > 200) luaL_error(L, "a key of state has 1 to 200 bytes; this one has %d", (int)*count);
  return key;
}

static int state_read(lua_State *L) {
  rule_host *host = host_of(L);
  size_t count;
  const char *key = check_key(L, host, &count);
  push_table(L, host);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  state_note_read(L, "state.", key, count, lua_gettop(L));
  return 1;
}

static void check_value(lua_State *L) {
  switch (lua_type(L, 3)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN: return;
    case LUA_TNUMBER:
      if (!isfinite(lua_tonumber(L, 3)))
        luaL_error(L, "state cannot hold a number that is infinite or not a number; did a division by zero make it?");
      return;
    case LUA_TSTRING: {
      size_t count;
      const char *text = lua_tolstring(L, 3, &count);
      if (!document_valid_utf8(text, count)) luaL_error(L, "a text in state must be valid UTF-8");
      return;
    }
    default:
      luaL_error(L, "state holds texts, numbers and true or false; this is a %s", values_type_name(L, 3));
  }
}

static int state_write(lua_State *L) {
  rule_host *host = host_of(L);
  size_t count;
  const char *key = check_key(L, host, &count);
  if (host->phase == PHASE_WHEN) return luaL_error(L, "'when' may read state but not change it; write state.%s in run", key);
  check_value(L);
  push_table(L, host);
  int table = lua_gettop(L);
  lua_pushvalue(L, 2);
  lua_rawget(L, table);
  bool had = !lua_isnil(L, -1), has = !lua_isnil(L, 3);
  size_t size = host->state_size + (has ? entry_size(L, count, 3) : 0) - (had ? entry_size(L, count, lua_gettop(L)) : 0);
  uint32_t keys = host->state_keys + has - had;
  if (has && keys > host->limits.state_keys)
    return luaL_error(L, "state would have %d keys; it may have %d", (int)keys, (int)host->limits.state_keys);
  if (has && size > host->limits.state_text_bytes)
    return luaL_error(L, "state would grow to %d bytes; it may have %d", (int)size, (int)host->limits.state_text_bytes);
  lua_settop(L, table);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_rawset(L, table);
  host->state_size = size;
  host->state_keys = keys;
  host->state_dirty = true;
  return 0;
}

/* Writes the new text into the report when something was written. */
void state_finish(lua_State *L) {
  rule_host *host = host_of(L);
  if (!host->state_dirty) return;
  size_t start = host->json.count;
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->state_ref);
  json_write(L, -1, &host->json, false);
  lua_pop(L, 1);
  size_t count = host->json.count - start;
  if (count > host->limits.state_text_bytes)
    luaL_error(L, "state would take %d bytes as JSON; it may have %d", (int)count, (int)host->limits.state_text_bytes);
  host->report.text = host->json.bytes + start;
  host->report.text_count = count;
  host->report.state_changed = true;
}

static int state_call(lua_State *L) { return luaL_error(L, "state is a table, not a function: write state.name"); }

/* Leaves the proxy on the stack. */
void state_install(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 4);
  lua_pushcfunction(L, state_read);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, state_write);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, state_call);
  lua_setfield(L, -2, "__call");
  lua_setmetatable(L, -2);
  lua_pushboolean(L, 0);
  host_of(L)->state_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}
