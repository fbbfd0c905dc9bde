/*
 * `state`: what a rule remembers about one subject between runs, flat and small.
 *
 * Thread: the host's. Promise: the text written has sorted keys, so equal states are equal bytes; a
 * write past a limit fails at its own line.
 */
#include "host_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The state: an array of entries sorted by key. Texts lie in the given JSON or in an arena of the host's;
 * no Lua value is kept, so a run that touches no state pays nothing, and one that does builds no table. */

enum { ARENA_BYTES = 64 * 1024 };

static const char *text_at(const rule_host *host, state_text t) {
  return (t.owned ? host->state_arena.bytes : host->state_given) + t.offset;
}

/* Bytes an entry takes as text, escapes aside. */
static size_t entry_size(const state_entry *e) {
  return e->key.count + 4 + (e->kind == RULE_TEXT ? e->text.count + 2 : 24);
}

/* The entry of a key; otherwise *position is where it would stand. */
static state_entry *find_entry(rule_host *host, const char *key, size_t count, uint32_t *position) {
  for (uint32_t i = 0; i < host->state_count; i++) {
    state_entry *e = &host->state[i];
    size_t shorter = count < e->key.count ? count : e->key.count;
    int order = memcmp(key, text_at(host, e->key), shorter);
    if (order == 0) order = (count > e->key.count) - (count < e->key.count);
    if (order > 0) continue;
    *position = i;
    return order == 0 ? e : NULL;
  }
  *position = host->state_count;
  return NULL;
}

static void insert_entry(rule_host *host, uint32_t position, const state_entry *entry) {
  memmove(host->state + position + 1, host->state + position, (host->state_count - position) * sizeof *entry);
  host->state[position] = *entry;
  host->state_count++;
  host->state_size += entry_size(entry);
}

static void remove_entry(rule_host *host, state_entry *entry) {
  host->state_size -= entry_size(entry);
  host->state_count--;
  memmove(entry, entry + 1, (size_t)(host->state + host->state_count - entry) * sizeof *entry);
}

/* Reading what was given. The common case, our own compact text without escapes, is read in place;
 * everything else goes through the parser, which also tells what is no JSON. */

typedef struct scanner {
  const char *start, *at, *end;
} scanner;

static bool scan_char(scanner *s, char c) {
  if (s->at == s->end || *s->at != c) return false;
  s->at++;
  return true;
}

static bool scan_text(scanner *s, state_text *t) {
  if (!scan_char(s, '"')) return false;
  t->offset = (uint32_t)(s->at - s->start);
  t->owned = false;
  for (; s->at < s->end; s->at++) {
    unsigned char c = (unsigned char)*s->at;
    if (c == '"') {
      t->count = (uint32_t)(s->at - s->start) - t->offset;
      s->at++;
      return true;
    }
    if (c == '\\' || c < 0x20 || c >= 0x80) return false;
  }
  return false;
}

static bool scan_word(scanner *s, const char *word, size_t count) {
  if ((size_t)(s->end - s->at) < count || memcmp(s->at, word, count) != 0) return false;
  s->at += count;
  return true;
}

/* Up to 18 digits, so that nothing overflows; anything with a fraction is left to the parser. */
static bool scan_integer(scanner *s, int64_t *value) {
  bool negative = scan_char(s, '-');
  int digits = 0;
  *value = 0;
  for (; digits < 18 && s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++, digits++)
    *value = *value * 10 + (*s->at - '0');
  if (negative) *value = -*value;
  return digits > 0 && (s->at == s->end || *s->at == ',' || *s->at == '}');
}

static bool scan_value(scanner *s, state_entry *e) {
  if (s->at == s->end) return false;
  switch (*s->at) {
    case '"': e->kind = RULE_TEXT; return scan_text(s, &e->text);
    case 't': e->kind = RULE_BOOLEAN; e->integer = 1; return scan_word(s, "true", 4);
    case 'f': e->kind = RULE_BOOLEAN; e->integer = 0; return scan_word(s, "false", 5);
    default: e->kind = RULE_INTEGER; return scan_integer(s, &e->integer);
  }
}

/* False: not in the simple form. */
static bool scan_given(rule_host *host, const char *bytes, size_t count) {
  scanner s = {bytes, bytes, bytes + count};
  if (!scan_char(&s, '{')) return false;
  if (scan_char(&s, '}')) return s.at == s.end;
  do {
    state_entry e;
    uint32_t position;
    if (host->state_count == STATE_ENTRIES || !scan_text(&s, &e.key) || !scan_char(&s, ':') || !scan_value(&s, &e)) return false;
    if (find_entry(host, s.start + e.key.offset, e.key.count, &position)) return false;
    insert_entry(host, position, &e);
  } while (scan_char(&s, ','));
  return scan_char(&s, '}') && s.at == s.end;
}

static bool entry_of_node(const document_node *n, state_entry *e) {
  switch (n->kind) {
    case DOCUMENT_FALSE:
    case DOCUMENT_TRUE:
      e->kind = RULE_BOOLEAN;
      e->integer = n->kind == DOCUMENT_TRUE;
      return true;
    case DOCUMENT_INTEGER:
      e->kind = RULE_INTEGER;
      e->integer = n->integer;
      return true;
    case DOCUMENT_UNSIGNED:
    case DOCUMENT_DOUBLE:
      e->kind = RULE_NUMBER;
      e->number = n->kind == DOCUMENT_DOUBLE ? n->number : (double)(uint64_t)n->integer;
      return true;
    case DOCUMENT_STRING:
      e->kind = RULE_TEXT;
      e->text = (state_text){(uint32_t)n->offset, n->count, false};
      return true;
    default: return false; /* null is absence; anything nested was not written by a rule */
  }
}

static void read_document(rule_host *host, const document *d) {
  const document_node *nodes = document_nodes(d);
  uint32_t key = 1, position;
  for (uint32_t i = 0; i < nodes[0].count && host->state_count < STATE_ENTRIES; i++) {
    state_entry e;
    e.key = (state_text){(uint32_t)nodes[key].offset, nodes[key].count, false};
    if (entry_of_node(nodes + key + 1, &e) && !find_entry(host, document_string(d, nodes + key), e.key.count, &position))
      insert_entry(host, position, &e);
    key = document_after(d, key + 1);
  }
}

static void parse_given(lua_State *L, rule_host *host) {
  int status;
  host->state_document = document_parse(host->parser, host->input->state, host->input->state_count, &status);
  const document *d = host->state_document;
  if (!d || document_nodes(d)[0].kind != DOCUMENT_OBJECT) luaL_error(L, "the stored state of this rule is not a JSON object");
  host->state_given = document_text(d);
  read_document(host, d);
}

static void load_given(lua_State *L, rule_host *host) {
  host->state_count = 0;
  host->state_size = 2;
  host->state_arena.count = 0;
  host->state_given = host->input->state;
  if (host->input->state_count && !scan_given(host, host->input->state, host->input->state_count)) {
    host->state_count = 0;
    host->state_size = 2;
    parse_given(L, host);
  }
  host->state_loaded = true;
}

/* Writing. */

static state_text keep_text(lua_State *L, rule_host *host, const char *bytes, size_t count) {
  state_text t = {(uint32_t)host->state_arena.count, (uint32_t)count, true};
  document_buffer_append(&host->state_arena, bytes, count);
  if (host->state_arena.failed) luaL_error(L, "no memory for state");
  return t;
}

/* Writing one key over and over leaves dead text behind; now and then only the living is kept. */
static void compact(lua_State *L, rule_host *host) {
  if (host->state_arena.count < ARENA_BYTES) return;
  document_buffer old = host->state_arena;
  size_t start = host->text.count;
  document_buffer_append(&host->text, old.bytes, old.count);
  if (host->text.failed) luaL_error(L, "no memory for state");
  const char *copy = host->text.bytes + start;
  host->state_arena.count = 0;
  for (uint32_t i = 0; i < host->state_count; i++) {
    state_entry *e = &host->state[i];
    if (e->key.owned) e->key = keep_text(L, host, copy + e->key.offset, e->key.count);
    if (e->kind == RULE_TEXT && e->text.owned) e->text = keep_text(L, host, copy + e->text.offset, e->text.count);
  }
  host->text.count = start;
}

static const char *check_key(lua_State *L, rule_host *host, size_t *count) {
  if (host->phase != PHASE_RUNNING && host->phase != PHASE_WHEN)
    luaL_error(L, "state can only be used inside run and when");
  if (lua_type(L, 2) != LUA_TSTRING)
    luaL_error(L, "a key of state must be a text, such as state.count; this one is a %s", values_type_name(L, 2));
  const char *key = lua_tolstring(L, 2, count);
  if (*count == 0 || *count > 200) luaL_error(L, "a key of state has 1 to 200 bytes; this one has %d", (int)*count);
  if (!host->state_loaded) load_given(L, host);
  return key;
}

static int state_read(lua_State *L) {
  rule_host *host = host_of(L);
  size_t count;
  uint32_t position;
  const char *key = check_key(L, host, &count);
  const state_entry *e = find_entry(host, key, count, &position);
  if (!e) lua_pushnil(L);
  else if (e->kind == RULE_TEXT) lua_pushlstring(L, text_at(host, e->text), e->text.count);
  else if (e->kind == RULE_BOOLEAN) lua_pushboolean(L, e->integer != 0);
  else if (e->kind == RULE_INTEGER) lua_pushinteger(L, e->integer);
  else lua_pushnumber(L, e->number);
  reads_note(L, "state.", key, count, lua_gettop(L));
  return 1;
}

static void check_utf8(lua_State *L, const char *what, const char *text, size_t count) {
  if (!json_is_text(text, count)) luaL_error(L, "%s in state must be valid UTF-8", what);
}

/* The value at index 3 as an entry; its text is not kept yet. */
static const char *describe_value(lua_State *L, state_entry *e) {
  size_t count;
  const char *text = NULL;
  switch (lua_type(L, 3)) {
    case LUA_TBOOLEAN:
      e->kind = RULE_BOOLEAN;
      e->integer = lua_toboolean(L, 3);
      break;
    case LUA_TNUMBER:
      e->kind = lua_isinteger(L, 3) ? RULE_INTEGER : RULE_NUMBER;
      if (e->kind == RULE_INTEGER) e->integer = lua_tointeger(L, 3);
      else e->number = lua_tonumber(L, 3);
      if (e->kind == RULE_NUMBER && !isfinite(e->number))
        luaL_error(L, "state cannot hold a number that is infinite or not a number; did a division by zero make it?");
      break;
    case LUA_TSTRING:
      text = lua_tolstring(L, 3, &count);
      check_utf8(L, "a text", text, count);
      e->kind = RULE_TEXT;
      e->text = (state_text){0, (uint32_t)(count < UINT32_MAX ? count : UINT32_MAX), true};
      break;
    default: luaL_error(L, "state holds texts, numbers and true or false; this is a %s", values_type_name(L, 3));
  }
  return text;
}

static void check_room(lua_State *L, rule_host *host, const state_entry *old, const state_entry *new) {
  uint32_t keys = host->state_count + (old ? 0 : 1);
  size_t size = host->state_size + entry_size(new) - (old ? entry_size(old) : 0);
  if (keys > host->limits.state_keys)
    luaL_error(L, "state would have %d keys; it may have %d", (int)keys, (int)host->limits.state_keys);
  if (size > host->limits.state_text_bytes)
    luaL_error(L, "state would grow to %d bytes; it may have %d", (int)size, (int)host->limits.state_text_bytes);
}

static int state_write(lua_State *L) {
  rule_host *host = host_of(L);
  size_t count;
  uint32_t position;
  const char *key = check_key(L, host, &count);
  if (host->phase == PHASE_WHEN) return luaL_error(L, "'when' may read state but not change it; write state.%s in run", key);
  host->state_dirty = true;
  compact(L, host);
  state_entry *old = find_entry(host, key, count, &position);
  if (lua_isnil(L, 3)) {
    if (old) remove_entry(host, old);
    return 0;
  }
  state_entry new;
  const char *text = describe_value(L, &new);
  new.key = old ? old->key : (state_text){0, (uint32_t)count, true};
  check_room(L, host, old, &new);
  if (text) new.text = keep_text(L, host, text, new.text.count);
  if (old) {
    host->state_size += entry_size(&new) - entry_size(old);
    *old = new;
    return 0;
  }
  check_utf8(L, "a key", key, count);
  new.key = keep_text(L, host, key, count);
  insert_entry(host, position, &new);
  return 0;
}

static void write_entry(document_buffer *out, const rule_host *host, const state_entry *e) {
  document_write_string(out, text_at(host, e->key), e->key.count);
  document_buffer_append(out, ":", 1);
  if (e->kind == RULE_TEXT) document_write_string(out, text_at(host, e->text), e->text.count);
  else if (e->kind == RULE_INTEGER) document_write_integer(out, e->integer);
  else if (e->kind == RULE_NUMBER) document_write_double(out, e->number);
  else document_buffer_append(out, e->integer ? "true" : "false", e->integer ? 4 : 5);
}

static void refuse_size(rule_host *host, size_t count) {
  char text[96];
  int length = snprintf(text, sizeof text, "state would take %zu bytes as JSON; it may have %zu", count,
                        host->limits.state_text_bytes);
  host->report.status = RULE_ERROR;
  host->report.line = host->fallback_line;
  budget_set_message(host, text, (size_t)length);
}

/* Writes the new text into the report when something was written. Escapes are only known here, so the
 * limit is checked once more. */
void state_finish(rule_host *host) {
  if (!host->state_dirty) return;
  document_buffer *out = &host->json;
  size_t start = out->count;
  document_buffer_append(out, "{", 1);
  for (uint32_t i = 0; i < host->state_count; i++) {
    if (i) document_buffer_append(out, ",", 1);
    write_entry(out, host, &host->state[i]);
  }
  document_buffer_append(out, "}", 1);
  size_t count = out->count - start;
  if (out->failed || count > host->limits.state_text_bytes) return refuse_size(host, count);
  host->report.text = out->bytes + start;
  host->report.text_count = count;
  host->report.state_changed = true;
}

void state_begin(rule_host *host) {
  host->state_loaded = host->state_dirty = false;
  if (host->state_document) document_free(host->state_document);
  host->state_document = NULL;
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
}
