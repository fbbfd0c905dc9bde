/*
 * Events and traits as Lua sees them: read-only handles into a parsed document. A handle is a light
 * userdata, so reading builds no tables; all handles share one metatable.
 *
 * Thread: the host's. Promise: nothing of an event can be changed; a handle kept past its run raises;
 * JSON null reads as nil, integers keep their 64 bits.
 */
#include "host_private.h"

#include <stdlib.h>
#include <string.h>

/* `null` and `empty_list` are light userdata too, told apart by their addresses. */
char values_null, values_empty_list;

enum { NODE_LIMIT = 1 << HANDLE_NODE_BITS };

static inline uintptr_t handle_bits(lua_State *L, int index) { return (uintptr_t)lua_touserdata(L, index); }

static inline bool is_constant(const void *p) { return p == &values_null || p == &values_empty_list; }

bool values_is_handle(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA && !is_constant(lua_touserdata(L, index));
}

const char *values_type_name(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TLIGHTUSERDATA) return luaL_typename(L, index);
  return lua_touserdata(L, index) == &values_null ? "null" : "table";
}

static inline void push_handle(lua_State *L, const rule_host *host, uint32_t slot, uint32_t node) {
  uintptr_t bits = host->generation << (HANDLE_NODE_BITS + HANDLE_SLOT_BITS) | (uintptr_t)slot << HANDLE_NODE_BITS | node;
  lua_pushlightuserdata(L, (void *)bits);
}

void values_push_handle(lua_State *L, uint32_t slot, uint32_t node) {
  if (node >= NODE_LIMIT) luaL_error(L, "this event has too many values to be read by a rule");
  push_handle(L, host_of(L), slot, node);
}

/* A slot of its own for something the run received; 0 when memory is short or there are too many. */
static uint32_t add_slot(rule_host *host, const more_slot *slot) {
  if (host->more_count + SLOT_FIRST_MORE >= SLOTS) return 0;
  if (host->more_count == host->more_capacity) {
    uint32_t capacity = host->more_capacity ? host->more_capacity * 2 : 16;
    more_slot *more = realloc(host->more, capacity * sizeof *more);
    if (!more) return 0;
    host->more = more;
    host->more_capacity = capacity;
  }
  host->more[host->more_count] = *slot;
  return SLOT_FIRST_MORE + host->more_count++;
}

static uint32_t need_slot(lua_State *L, const more_slot *slot) {
  uint32_t number = add_slot(host_of(L), slot);
  if (!number)
    luaL_error(L, "this run has received more events, replies and traits than it can hold; cut it short with checkpoint");
  return number;
}

int values_push_subjects(lua_State *L, rule_host *host) {
  push_handle(L, host, SLOT_EVENT, 0);
  push_handle(L, host, SLOT_CUSTOMER, 0);
  if (host->phase != PHASE_RUNNING) return 2;
  const rule_input *input = host->input;
  int count = 2;
  if (input->has_date) {
    /* Whoever calls has made the text; see call_protected. */
    if (input->date) lua_pushvalue(L, 2);
    else lua_pushnil(L);
    count++;
  }
  if (input->collected) {
    push_handle(L, host, SLOT_EVENTS, 0);
    count++;
  }
  if (!input->saved) return count;
  more_slot slot = {.kind = SLOT_EVENT_DATA, .document = input->saved};
  uint32_t number = add_slot(host, &slot);
  if (number) push_handle(L, host, number, 0);
  else lua_pushnil(L);
  return count + 1;
}

void values_push_event(lua_State *L, const rule_event *event) {
  more_slot data = {.kind = SLOT_EVENT_DATA, .document = event->document};
  more_slot root = {.kind = SLOT_EVENT, .event = *event, .data_slot = need_slot(L, &data)};
  push_handle(L, host_of(L), need_slot(L, &root), 0);
}

void values_push_document(lua_State *L, const document *d) {
  more_slot slot = {.kind = SLOT_EVENT_DATA, .document = d};
  values_push_node(L, d, need_slot(L, &slot), 0);
}

void values_push_node(lua_State *L, const document *d, uint32_t slot, uint32_t index) {
  const document_node *node = document_nodes(d) + index;
  switch (node->kind) {
    case DOCUMENT_FALSE: lua_pushboolean(L, 0); return;
    case DOCUMENT_TRUE: lua_pushboolean(L, 1); return;
    case DOCUMENT_INTEGER: lua_pushinteger(L, node->integer); return;
    case DOCUMENT_UNSIGNED: lua_pushnumber(L, (lua_Number)(uint64_t)node->integer); return;
    case DOCUMENT_DOUBLE: lua_pushnumber(L, node->number); return;
    case DOCUMENT_STRING: lua_pushlstring(L, document_string(d, node), node->count); return;
    case DOCUMENT_ARRAY:
    case DOCUMENT_OBJECT: values_push_handle(L, slot, index); return;
    default: lua_pushnil(L); return;
  }
}

/* Opens a handle: its slot and node, after the check that it belongs to this run. */
static inline uint32_t open_bits(lua_State *L, rule_host *host, uintptr_t bits, uint32_t *node) {
  if (bits >> (HANDLE_NODE_BITS + HANDLE_SLOT_BITS) != host->generation || !host->input)
    luaL_error(L, "event data was used after the run it belongs to had ended");
  *node = (uint32_t)(bits & (NODE_LIMIT - 1));
  return (uint32_t)(bits >> HANDLE_NODE_BITS & (SLOTS - 1));
}

static inline enum slot kind_of(const rule_host *host, uint32_t slot) {
  return slot < SLOT_FIRST_MORE ? (enum slot)slot : host->more[slot - SLOT_FIRST_MORE].kind;
}

/* Of a slot whose kind has a document. */
static inline const document *document_of(const rule_host *host, uint32_t slot) {
  if (slot == SLOT_EVENT_DATA) return host->input->event.document;
  return host->more[slot - SLOT_FIRST_MORE].document;
}

uint32_t values_slot(lua_State *L, int index) {
  uint32_t node;
  return open_bits(L, host_of(L), handle_bits(L, index), &node);
}

static uint32_t traits_slot(lua_State *L, rule_host *host);

bool values_document(lua_State *L, int index, const document **d, uint32_t *node, uint32_t *slot, enum slot *kind) {
  rule_host *host = host_of(L);
  *slot = open_bits(L, host, handle_bits(L, index), node);
  /* The traits of now, and from here on these. */
  if (*slot == SLOT_TRAITS) *slot = host->input->customer_traits ? traits_slot(L, host) : SLOT_NOTHING;
  *kind = kind_of(host, *slot);
  if (*kind != SLOT_EVENT_DATA && *kind != SLOT_TRAITS) return false;
  *d = document_of(host, *slot);
  if (*kind == SLOT_TRAITS && *node == 0) reads_note_trait(host, NULL, 0);
  return true;
}

/* Absent objects read as empty ones, so that event.data.x is nil rather than an error. */
static int push_part(lua_State *L, const rule_event *event, uint32_t slot, uint32_t node) {
  if (node == UINT32_MAX) push_handle(L, host_of(L), SLOT_NOTHING, 0);
  else values_push_node(L, event->document, slot, node);
  return 1;
}

static const char *const event_fields[] = {"name", "time", "id", "data", "user", "account", "thing",
                                           "source", "traits", "context", NULL};
static const char *const customer_fields[] = {"id", "traits", "account", NULL};

static int unknown_field(lua_State *L, const char *whose, const char *key, const char *const *names) {
  const char *near = sandbox_nearest(key, names);
  if (near) return luaL_error(L, "%s has no field '%s' (did you mean '%s'?)", whose, key, near);
  luaL_Buffer list;
  luaL_buffinit(L, &list);
  for (; *names; names++) {
    luaL_addstring(&list, *names);
    if (names[1]) luaL_addstring(&list, ", ");
  }
  luaL_pushresult(&list);
  return luaL_error(L, "%s has no field '%s'; it has %s", whose, key, lua_tostring(L, -1));
}

static inline bool is_name(const char *key, size_t count, const char *name, size_t name_count) {
  return count == name_count && memcmp(key, name, name_count) == 0; /* of constant length: no call */
}
#define IS(name) is_name(key, count, name, sizeof(name) - 1)

static int event_field(lua_State *L, rule_host *host, uint32_t number, const char *key, size_t count) {
  const more_slot *more = number == SLOT_EVENT ? NULL : &host->more[number - SLOT_FIRST_MORE];
  const rule_event *event = more ? &more->event : &host->input->event;
  uint32_t slot = more ? more->data_slot : SLOT_EVENT_DATA;
  if (IS("data")) return push_part(L, event, slot, event->data);
  if (IS("time")) {
    lua_pushinteger(L, event->time);
    return 1;
  }
  uint32_t index = event->index;
  if (IS("name")) host_push_field(L, RULE_FIELD_EVENT_NAME, index);
  else if (IS("id")) host_push_field(L, RULE_FIELD_EVENT_ID, index);
  else if (IS("user")) host_push_field(L, RULE_FIELD_EVENT_USER, index);
  else if (IS("account")) host_push_field(L, RULE_FIELD_EVENT_ACCOUNT, index);
  else if (IS("thing")) host_push_field(L, RULE_FIELD_EVENT_THING, index);
  else if (IS("source")) host_push_field(L, RULE_FIELD_EVENT_SOURCE, index);
  else if (IS("traits")) return push_part(L, event, slot, event->traits);
  else if (IS("context")) return push_part(L, event, slot, event->context);
  else return unknown_field(L, "event", key, event_fields);
  return 1;
}

/* A value of the traits keeps what it was over a wait: each activation has a slot of its own. `customer.traits`
 * itself always means those of now: what a journal has not seen being read it could not give back. */
static uint32_t traits_slot(lua_State *L, rule_host *host) {
  if (!host->traits_slot) {
    more_slot slot = {.kind = SLOT_TRAITS, .document = host->input->customer_traits};
    host->traits_slot = need_slot(L, &slot);
  }
  return host->traits_slot;
}

static int customer_field(lua_State *L, rule_host *host, const char *key, size_t count) {
  if (IS("traits")) {
    push_handle(L, host, SLOT_TRAITS, 0);
    return 1;
  }
  if (IS("id")) host_push_field(L, RULE_FIELD_CUSTOMER_ID, 0);
  else if (IS("account")) host_push_field(L, RULE_FIELD_CUSTOMER_ACCOUNT, 0);
  else return unknown_field(L, "customer", key, customer_fields);
  return 1;
}

static int member_of_node(lua_State *L, const document *d, uint32_t slot, uint32_t node) {
  const document_node *object = document_nodes(d) + node;
  uint32_t found = UINT32_MAX;
  if (object->kind == DOCUMENT_OBJECT && lua_type(L, 2) == LUA_TSTRING) {
    size_t count;
    const char *key = lua_tolstring(L, 2, &count);
    found = document_member(d, node, key, count);
  } else if (object->kind == DOCUMENT_ARRAY && lua_isinteger(L, 2)) {
    lua_Integer position = lua_tointeger(L, 2);
    if (position >= 1 && position <= (lua_Integer)object->count)
      found = document_element(d, node, (uint32_t)(position - 1));
  }
  /* Looking up walks the document; wide ones are charged, so that a loop over them stays bounded. */
  if (object->count >= 16) budget_charge(L, object->count >> 3);
  if (found == UINT32_MAX) lua_pushnil(L);
  else values_push_node(L, d, slot, found);
  return 1;
}

static int constant_index(lua_State *L, const void *p) {
  if (p == &values_null) return luaL_error(L, "null has no fields; test it with == null first");
  return lua_pushnil(L), 1;
}

/* Of a subject that has none at all. */
static int no_trait(lua_State *L) {
  bool named = lua_type(L, 2) == LUA_TSTRING;
  lua_pushnil(L);
  if (!named) return 1;
  size_t count;
  const char *key = lua_tolstring(L, 2, &count);
  reads_note(L, "customer.traits.", key, count, lua_gettop(L));
  return 1;
}

static int handle_index(lua_State *L) {
  const void *p = lua_touserdata(L, 1);
  if (is_constant(p)) return constant_index(L, p);
  rule_host *host = host_of(L);
  uint32_t node;
  uint32_t slot = open_bits(L, host, (uintptr_t)p, &node);
  enum slot kind = kind_of(host, slot);
  size_t count;
  switch (kind) {
    case SLOT_EVENT_DATA: return member_of_node(L, document_of(host, slot), slot, node);
    case SLOT_TRAITS: {
      if (slot == SLOT_TRAITS && !host->input->customer_traits) return no_trait(L);
      if (slot == SLOT_TRAITS) slot = traits_slot(L, host);
      member_of_node(L, document_of(host, slot), slot, node);
      if (node == 0 && lua_type(L, 2) == LUA_TSTRING) {
        const char *key = lua_tolstring(L, 2, &count);
        reads_note_trait(host, key, count);
        reads_note(L, "customer.traits.", key, count, lua_gettop(L));
      }
      return 1;
    }
    case SLOT_EVENT:
    case SLOT_CUSTOMER: {
      if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "event and customer have named fields only");
      const char *key = lua_tolstring(L, 2, &count);
      return kind == SLOT_EVENT ? event_field(L, host, slot, key, count) : customer_field(L, host, key, count);
    }
    case SLOT_EVENTS: return events_index(L);
    default: return lua_pushnil(L), 1;
  }
}

static int handle_length(lua_State *L) {
  const document *d;
  uint32_t node;
  uint32_t slot;
  enum slot kind;
  if (is_constant(lua_touserdata(L, 1))) return lua_pushinteger(L, 0), 1;
  if (!values_document(L, 1, &d, &node, &slot, &kind)) {
    lua_pushinteger(L, kind == SLOT_EVENTS ? events_count(host_of(L)) : 0);
    return 1;
  }
  const document_node *n = document_nodes(d) + node;
  lua_pushinteger(L, n->kind == DOCUMENT_ARRAY ? n->count : 0);
  return 1;
}

static int handle_write(lua_State *L) {
  if (is_constant(lua_touserdata(L, 1))) return luaL_error(L, "null and empty_list cannot be changed");
  return luaL_error(L, "event and customer are read-only; keep your own values in a local table or in state");
}

static int handle_call(lua_State *L) { return luaL_error(L, "event data is a value, not a function; remove the parentheses"); }

void values_install(lua_State *L) {
  lua_pushlightuserdata(L, &values_null);
  lua_createtable(L, 0, 4);
  lua_pushcfunction(L, handle_index);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, handle_write);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, handle_length);
  lua_setfield(L, -2, "__len");
  lua_pushcfunction(L, handle_call);
  lua_setfield(L, -2, "__call");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}
