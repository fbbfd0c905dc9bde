/*
 * The trampoline: words of rules that Swift answers. Arguments are decoded into plain values, Swift is
 * called and returns by filling a reply, and only then is anything pushed or raised.
 *
 * Thread: the host's. Promise: no Lua error ever crosses a Swift frame, and Swift never sees the state.
 */
#include "host_private.h"

#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS = 16 };

typedef struct decoded {
  rule_value values[ARGUMENTS];
  size_t offsets[ARGUMENTS]; /* of JSON in the buffer, which may move while it grows */
  uint32_t count;
} decoded;

static void decode_text(lua_State *L, rule_host *host, int index, const char *word, rule_value *value) {
  size_t count;
  value->kind = RULE_TEXT;
  value->bytes = lua_tolstring(L, index, &count);
  if (count > host->limits.argument_bytes)
    luaL_error(L, "%s: argument %d has %d bytes; at most %d are taken", word, index, (int)count,
               (int)host->limits.argument_bytes);
  if (!json_is_text(value->bytes, count)) luaL_error(L, "%s: argument %d is not valid UTF-8", word, index);
  value->count = (uint32_t)count;
  if (count > 64) budget_charge(L, count >> 4);
}

static void decode_json(lua_State *L, rule_host *host, int index, decoded *out) {
  document_buffer *json = &host->json;
  size_t start = json->count;
  json_write(L, index, json, false);
  if (json->count - start > host->limits.argument_bytes)
    luaL_error(L, "the data takes %d bytes as JSON; at most %d are taken", (int)(json->count - start),
               (int)host->limits.argument_bytes);
  out->offsets[index - 1] = start;
  out->values[index - 1].kind = RULE_JSON;
  out->values[index - 1].count = (uint32_t)(json->count - start);
}

static void decode(lua_State *L, rule_host *host, const char *word, int count, decoded *out) {
  if (count > ARGUMENTS) luaL_error(L, "%s takes at most %d arguments; here are %d", word, ARGUMENTS, count);
  out->count = (uint32_t)count;
  for (int i = 1; i <= count; i++) {
    rule_value *value = &out->values[i - 1];
    value->count = 0;
    switch (lua_type(L, i)) {
      case LUA_TNIL: value->kind = RULE_NIL; break;
      case LUA_TBOOLEAN:
        value->kind = RULE_BOOLEAN;
        value->integer = lua_toboolean(L, i);
        break;
      case LUA_TNUMBER:
        if (lua_isinteger(L, i)) {
          value->kind = RULE_INTEGER;
          value->integer = lua_tointeger(L, i);
        } else {
          value->kind = RULE_NUMBER;
          value->number = lua_tonumber(L, i);
        }
        break;
      case LUA_TSTRING: decode_text(L, host, i, word, value); break;
      default: decode_json(L, host, i, out); break;
    }
  }
  for (uint32_t i = 0; i < out->count; i++)
    if (out->values[i].kind == RULE_JSON) out->values[i].bytes = host->json.bytes + out->offsets[i];
}

static void push_value(lua_State *L, const rule_value *value) {
  switch (value->kind) {
    case RULE_BOOLEAN: lua_pushboolean(L, value->integer != 0); break;
    case RULE_INTEGER: lua_pushinteger(L, value->integer); break;
    case RULE_NUMBER: lua_pushnumber(L, value->number); break;
    case RULE_TEXT: lua_pushlstring(L, value->bytes, value->count); break;
    default: lua_pushnil(L); break;
  }
}

static void push_answer(lua_State *L, const rule_reply *reply) {
  if (reply->value.kind == RULE_EVENT) values_push_event(L, &reply->event);
  else if (reply->value.kind == RULE_DOCUMENT) values_push_document(L, reply->document);
  else push_value(L, &reply->value);
}

static void ask(rule_host *host, uint32_t word, const rule_value *arguments, uint32_t count) {
  host->reply.code = RULE_REPLY_OK;
  host->reply.message_count = 0;
  host->reply.value.kind = RULE_NIL;
  host->reply.second.kind = RULE_NIL;
  host->reply.moved = false;
  host->reply.work = 0;
  host->callback(host->context, word, arguments, count, &host->reply);
}

/* A wait is over: what depends on the moment is read anew. */
static void move_on(lua_State *L, rule_host *host) {
  state_begin(host);
  host->traits_slot = 0;
  budget_next(L);
}

static int settle(lua_State *L, rule_host *host) {
  const rule_reply *reply = &host->reply;
  if (reply->moved) move_on(L, host);
  if (reply->work) budget_charge(L, reply->work);
  switch (reply->code) {
    case RULE_REPLY_OK:
      push_answer(L, reply);
      if (reply->second.kind == RULE_NIL) return 1;
      return push_value(L, &reply->second), 2;
    case RULE_REPLY_LIMIT: budget_stop(L, RULE_UNITS, reply->message, reply->message_count);
    case RULE_REPLY_SUSPEND: budget_stop(L, RULE_SUSPENDED, reply->message, reply->message_count);
    case RULE_REPLY_FINISH: budget_stop(L, RULE_FINISHED, reply->message, reply->message_count);
    case RULE_REPLY_SKIP: budget_stop(L, RULE_SKIPPED, reply->message, reply->message_count);
    case RULE_REPLY_DIVERGED: budget_stop(L, RULE_DIVERGED, reply->message, reply->message_count);
    default:
      luaL_where(L, 1);
      lua_pushlstring(L, reply->message, reply->message_count);
      lua_concat(L, 2);
      return lua_error(L);
  }
}

void host_push_field(lua_State *L, enum rule_field field, uint32_t event) {
  rule_host *host = host_of(L);
  rule_value arguments[2] = {{.kind = RULE_INTEGER, .integer = field}, {.kind = RULE_INTEGER, .integer = event}};
  ask(host, RULE_WORD_FIELD, arguments, 2);
  push_value(L, &host->reply.value);
}

void host_push_collected(lua_State *L, lua_Integer position) {
  rule_host *host = host_of(L);
  rule_value argument = {.kind = RULE_INTEGER, .integer = position};
  ask(host, RULE_WORD_COLLECTED, &argument, 1);
  settle(L, host);
}

int host_ask(lua_State *L, uint32_t word, const char *name) {
  rule_host *host = host_of(L);
  budget_charge(L, 20);
  decoded arguments;
  size_t json_start = host->json.count;
  decode(L, host, name, lua_gettop(L), &arguments);
  ask(host, word, arguments.values, arguments.count);
  host->json.count = json_start;
  return settle(L, host);
}

static int call_word(lua_State *L, uint32_t word, const char *name) {
  rule_host *host = host_of(L);
  if (host->phase == PHASE_WHEN) return luaL_error(L, "'when' only decides; move %s into run", name);
  if (host->phase != PHASE_RUNNING) return luaL_error(L, "%s can only be used inside run", name);
  return host_ask(L, word, name);
}

/* Waits for an event. A function among the options stays here: Swift is asked for one candidate after the
 * other, and told what the function said of each. */

/* Takes `match` out of the options at index 2 when it is a function, and leaves it at index 3. */
static bool take_match(lua_State *L, const char *name) {
  if (lua_gettop(L) > 2) luaL_error(L, "%s takes at most 2 arguments; here are %d", name, lua_gettop(L));
  lua_settop(L, 2);
  if (!lua_istable(L, 2)) return false;
  tables_push_entries(L, 2);
  lua_getfield(L, 3, "match");
  if (!lua_isfunction(L, 4)) {
    lua_settop(L, 2);
    return false;
  }
  lua_createtable(L, 0, 4);
  for (lua_pushnil(L); lua_next(L, 3);) {
    budget_charge(L, 4);
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    if (lua_rawequal(L, -1, 4)) lua_pop(L, 2);
    else lua_rawset(L, 5);
  }
  lua_replace(L, 2);
  lua_replace(L, 3);
  lua_settop(L, 3);
  return true;
}

/* What the function at index 3 says of the candidate. It only decides, as `when` does. */
static bool matches_candidate(lua_State *L, rule_host *host) {
  uint64_t randoms = host->randoms;
  lua_pushvalue(L, 3);
  values_push_event(L, &host->reply.event);
  host->phase = PHASE_WHEN;
  int code = lua_pcall(L, 1, 1, 0);
  host->phase = PHASE_RUNNING;
  host->randoms = randoms;
  if (host->stop) budget_raise_again(L);
  if (code != LUA_OK) lua_error(L);
  if (!lua_isboolean(L, -1)) luaL_error(L, "a match function must return true or false; it returned %s", values_type_name(L, -1));
  bool matches = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return matches;
}

static int wait_for(lua_State *L, uint32_t word, const char *name) {
  rule_host *host = host_of(L);
  if (host->phase == PHASE_WHEN) return luaL_error(L, "'when' and match only decide; move %s into run", name);
  if (host->phase != PHASE_RUNNING) return luaL_error(L, "%s can only be used inside run", name);
  budget_charge(L, 20);
  bool asks = take_match(L, name);
  decoded arguments;
  size_t json_start = host->json.count;
  decode(L, host, name, 2, &arguments);
  arguments.values[arguments.count].kind = RULE_BOOLEAN;
  arguments.values[arguments.count].integer = asks;
  ask(host, word, arguments.values, arguments.count + 1);
  host->json.count = json_start;
  while (host->reply.code == RULE_REPLY_CANDIDATE) {
    if (host->reply.moved) move_on(L, host);
    budget_charge(L, 20 + host->reply.work);
    rule_value answer = {.kind = RULE_BOOLEAN, .integer = matches_candidate(L, host)};
    ask(host, RULE_WORD_CANDIDATE, &answer, 1);
  }
  return settle(L, host);
}

static int word_wait_for(lua_State *L) { return wait_for(L, RULE_WORD_WAIT_FOR, "wait_for"); }
static int word_wait_any(lua_State *L) { return wait_for(L, RULE_WORD_WAIT_ANY, "wait_any"); }
static int word_wait(lua_State *L) { return call_word(L, RULE_WORD_WAIT, "wait"); }
static int word_wait_until(lua_State *L) { return call_word(L, RULE_WORD_WAIT_UNTIL, "wait_until"); }
static int word_call(lua_State *L) { return call_word(L, RULE_WORD_CALL, "call"); }
static int word_finish(lua_State *L) { return call_word(L, RULE_WORD_FINISH, "finish"); }
static int word_checkpoint(lua_State *L) { return call_word(L, RULE_WORD_CHECKPOINT, "checkpoint"); }

static int word_send(lua_State *L) { return call_word(L, RULE_WORD_SEND, "send"); }
static int word_set(lua_State *L) { return call_word(L, RULE_WORD_SET, "set"); }
static int word_emit(lua_State *L) { return call_word(L, RULE_WORD_EMIT, "emit"); }
static int word_log(lua_State *L) { return call_word(L, RULE_WORD_LOG, "log"); }
static int word_calendar(lua_State *L) { return call_word(L, RULE_WORD_CALENDAR, "calendar"); }

/* Ends the run for a reason; nothing it asked for happens. */

static _Noreturn void skip(lua_State *L, int index, const char *name) {
  rule_host *host = host_of(L);
  if (host->phase != PHASE_RUNNING && host->phase != PHASE_WHEN) luaL_error(L, "%s can only be used inside run and when", name);
  size_t count;
  if (lua_type(L, index) != LUA_TSTRING) luaL_error(L, "%s needs a reason as text, such as %s(%s\"already done\")", name, name, index == 2 ? "condition, " : "");
  const char *text = lua_tolstring(L, index, &count);
  budget_stop(L, RULE_SKIPPED, text, count);
}

static int word_skip(lua_State *L) { skip(L, 1, "skip"); }

static int word_check(lua_State *L) {
  luaL_checkany(L, 1);
  if (!lua_toboolean(L, 1)) skip(L, 2, "check");
  /* A reason that is left out is a slip; one that is nil because there is none, as in check(not why, why), is not. */
  if (lua_gettop(L) < 2 || (!lua_isnil(L, 2) && lua_type(L, 2) != LUA_TSTRING)) return luaL_error(L, "check needs a reason as text, such as check(condition, \"already done\")");
  lua_settop(L, 1);
  return 1;
}

/* Time and chance are inputs. */

static rule_host *running(lua_State *L, const char *name) {
  rule_host *host = host_of(L);
  if (host->phase != PHASE_RUNNING && host->phase != PHASE_WHEN) luaL_error(L, "%s can only be used inside run and when", name);
  return host;
}

static int word_now(lua_State *L) {
  lua_pushinteger(L, running(L, "now")->input->now);
  return 1;
}

static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/* The n-th number of a run is a function of its seed and n, and stays so for ever. */
static uint64_t draw(rule_host *host) {
  uint64_t n = ++host->randoms;
  return mix(host->input->seed_low ^ mix(host->input->seed_high + n * 0x9E3779B97F4A7C15u));
}

static int word_random(lua_State *L) {
  rule_host *host = running(L, "random");
  lua_Integer low = 1, high;
  switch (lua_gettop(L)) {
    case 0: lua_pushnumber(L, (lua_Number)(draw(host) >> 11) * 0x1p-53); return 1;
    case 1: high = luaL_checkinteger(L, 1); break;
    case 2:
      low = luaL_checkinteger(L, 1);
      high = luaL_checkinteger(L, 2);
      break;
    default: return luaL_error(L, "random takes no argument, random(m) or random(m, n)");
  }
  if (low > high) return luaL_error(L, "random: nothing lies between %I and %I", (LUAI_UACINT)low, (LUAI_UACINT)high);
  uint64_t span = (uint64_t)high - (uint64_t)low + 1; /* 0 stands for 2^64 */
  uint64_t drawn = draw(host);
  if (span) drawn = (uint64_t)(((unsigned __int128)drawn * span) >> 64);
  lua_pushinteger(L, (lua_Integer)((uint64_t)low + drawn));
  return 1;
}

/* What windows tell. It stands among what was read, under the name it was asked by. */

/* Writes the call as its author did, as far as it fits: count("login", "7 days"). */
static size_t name_of_call(lua_State *L, const char *name, int count, char *out, size_t room) {
  size_t used = 0;
  for (int i = 0; i <= count; i++) {
    const char *text = i == 0 ? name : lua_type(L, i) == LUA_TSTRING ? lua_tostring(L, i) : "...";
    const char *before = i == 0 ? "" : i == 1 ? "(" : ", ";
    for (const char *p = before; *p && used < room; p++) out[used++] = *p;
    for (const char *p = text; *p && used < room; p++) out[used++] = *p;
  }
  if (used < room) out[used++] = ')';
  return used;
}

static int window_word(lua_State *L, uint32_t word, const char *name) {
  rule_host *host = running(L, name);
  int count = lua_gettop(L);
  if (count > ARGUMENTS - 1) return luaL_error(L, "%s takes at most 4 arguments; here are %d", name, count);
  char read[RULE_READ_NAME];
  size_t length = name_of_call(L, name, count, read, sizeof read);
  lua_pushboolean(L, host->phase == PHASE_WHEN);
  host_ask(L, word, name);
  reads_note(L, "", read, length, lua_gettop(L));
  return 1;
}

static int word_count(lua_State *L) { return window_word(L, RULE_WORD_COUNT, "count"); }
static int word_sum(lua_State *L) { return window_word(L, RULE_WORD_SUM, "sum"); }
static int word_min(lua_State *L) { return window_word(L, RULE_WORD_MIN, "min"); }
static int word_max(lua_State *L) { return window_word(L, RULE_WORD_MAX, "max"); }
static int word_avg(lua_State *L) { return window_word(L, RULE_WORD_AVG, "avg"); }
static int word_distinct(lua_State *L) { return window_word(L, RULE_WORD_DISTINCT, "distinct"); }
static int word_first(lua_State *L) { return window_word(L, RULE_WORD_FIRST, "first"); }
static int word_last(lua_State *L) { return window_word(L, RULE_WORD_LAST, "last"); }

/* Words of files. */

static int word_rule(lua_State *L) {
  rule_host *host = host_of(L);
  if (host->phase != PHASE_LOADING) return luaL_error(L, "rule{…} stands at the end of a rule's file: return rule { … }");
  if (lua_gettop(L) != 1 || !lua_istable(L, 1)) return luaL_error(L, "rule takes one table: return rule { title = …, on = …, run = … }");
  lua_pushvalue(L, 1);
  lua_rawseti(L, LUA_REGISTRYINDEX, host->rule_ref);
  return 1;
}

/* A rule that only says who belongs to it; the header tells it by a key that nobody can write. */
static int word_segment(lua_State *L) {
  rule_host *host = host_of(L);
  if (host->phase != PHASE_LOADING) return luaL_error(L, "segment{…} stands at the end of a segment's file: return segment { … }");
  if (lua_gettop(L) != 1 || !lua_istable(L, 1))
    return luaL_error(L, "segment takes one table: return segment { title = …, when = … }");
  lua_pushboolean(L, 1);
  lua_setfield(L, 1, "$segment");
  return word_rule(L);
}

static int word_use(lua_State *L) {
  rule_host *host = host_of(L);
  if (lua_type(L, 1) != LUA_TSTRING) return luaL_error(L, "use needs the name of a library as text, such as use(\"lib/score\")");
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->libraries_ref);
  lua_pushvalue(L, 1);
  lua_rawget(L, -2);
  if (lua_isnil(L, -1)) return luaL_error(L, "there is no library '%s'; its file would be %s.lua", lua_tostring(L, 1), lua_tostring(L, 1));
  return 1;
}

/* Triggers that are values of their own: {["$every"] = {…arguments}}. */
static int trigger(lua_State *L, const char *tag) {
  int count = lua_gettop(L);
  lua_createtable(L, count, 0);
  for (int i = 1; i <= count; i++) {
    lua_pushvalue(L, i);
    lua_rawseti(L, -2, i);
  }
  lua_createtable(L, 0, 1);
  lua_insert(L, -2);
  lua_setfield(L, -2, tag);
  return 1;
}
static int word_every(lua_State *L) { return trigger(L, "$every"); }
static int word_absence(lua_State *L) { return trigger(L, "$absence"); }
static int word_before(lua_State *L) { return trigger(L, "$before"); }
static int word_enters(lua_State *L) { return trigger(L, "$enters"); }
static int word_leaves(lua_State *L) { return trigger(L, "$leaves"); }

const luaL_Reg host_words[] = {
    {"send", word_send},     {"set", word_set},       {"emit", word_emit},     {"log", word_log},
    {"skip", word_skip},     {"check", word_check},   {"now", word_now},       {"random", word_random},
    {"rule", word_rule},     {"use", word_use},       {"every", word_every},   {"absence", word_absence},
    {"before", word_before}, {"enters", word_enters}, {"leaves", word_leaves}, {"wait", word_wait},
    {"wait_until", word_wait_until}, {"wait_for", word_wait_for}, {"wait_any", word_wait_any},
    {"call", word_call},     {"finish", word_finish}, {"checkpoint", word_checkpoint}, {"calendar", word_calendar}, {"segment", word_segment},
    {"count", word_count},   {"sum", word_sum},       {"min", word_min},       {"max", word_max},
    {"avg", word_avg},       {"distinct", word_distinct}, {"first", word_first}, {"last", word_last},
    {NULL, NULL},
};
