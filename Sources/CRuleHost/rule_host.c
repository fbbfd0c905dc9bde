/*
 * The entries of the host: create, load, evaluate, run. Each prepares the budget, does its protected
 * call and turns what came out into a report.
 *
 * Thread: the host's. Promise: outside of those protected calls nothing is called that could raise.
 */
#include "host_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Creating. */

static int create_body(lua_State *L) {
  rule_host *host = host_of(L);
  sandbox_install(L);
  lua_newtable(L);
  host->libraries_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushboolean(L, 0);
  host->rule_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static bool create_state(rule_host *host) {
  host->L = lua_newstate(budget_allocate, host);
  if (!host->L) return false;
  *(rule_host **)lua_getextraspace(host->L) = host;
  lua_gc(host->L, LUA_GCSTOP);
  lua_pushcfunction(host->L, create_body);
  bool made = lua_pcall(host->L, 0, 0, 0) == LUA_OK;
  lua_settop(host->L, 0);
  return made;
}

rule_host *rule_host_create(const rule_limits *limits, uint64_t fail_from) {
  rule_host *host = calloc(1, sizeof *host);
  if (!host) return NULL;
  host->limits = *limits;
  host->fail_from = fail_from;
  host->generation = 1;
  host->json.limit = limits->block_bytes;
  host->text.limit = limits->block_bytes * 2;
  host->closures.limit = limits->block_bytes * 2;
  host->parser = document_parser_create(limits->state_text_bytes * 2, 4);
  if (!host->parser || !create_state(host)) {
    rule_host_close(host);
    return NULL;
  }
  lua_gc(host->L, LUA_GCCOLLECT);
  host->bytes_at_step = host->bytes;
  return host;
}

void rule_host_close(rule_host *host) {
  if (!host) return;
  host->fail_from = 0;
  if (host->L) lua_close(host->L);
  document_parser_free(host->parser);
  document_buffer_free(&host->text);
  document_buffer_free(&host->json);
  document_buffer_free(&host->closures);
  document_buffer_free(&host->state_arena);
  if (host->state_document) document_free(host->state_document);
  free(host->rules);
  free(host->more);
  free(host->events);
  free(host);
}

void rule_host_set_callback(rule_host *host, rule_callback callback, void *context) {
  host->callback = callback;
  host->context = context;
}

void rule_host_fail_from(rule_host *host, uint64_t allocation) {
  host->allocations = 0;
  host->fail_from = allocation;
}

uint64_t rule_host_allocations(const rule_host *host) { return host->allocations; }
size_t rule_host_bytes(const rule_host *host) { return host->bytes; }
const rule_report *rule_host_report(const rule_host *host) { return &host->report; }
void rule_host_keep_closures(rule_host *host, bool keep) { host->keep_closures = keep; }
const document_buffer *rule_host_closures(const rule_host *host) { return &host->closures; }

/* The protected call, and what comes after it. */

/* Whether what the run asked for stands. */
static bool keeps_effects(uint32_t status) {
  return status == RULE_OK || status == RULE_SUSPENDED || status == RULE_FINISHED;
}

static int leave(rule_host *host, int code) {
  lua_settop(host->L, 0);
  /* A state that came out too large is an error whatever ended the run. */
  if (host->stop && host->report.status != RULE_ERROR) {
    host->report.status = (uint32_t)host->stop;
  } else if (code == LUA_ERRMEM || code == LUA_ERRERR) {
    host->report.status = RULE_MEMORY;
    static const char text[] = "the memory limit is reached: a text grew too large";
    budget_set_message(host, text, sizeof text - 1);
  } else if (code != LUA_OK) {
    host->report.status = RULE_ERROR;
  }
  if (!keeps_effects(host->report.status)) host->report.state_changed = false;
  host->report.randoms = host->randoms;
  int status = (int)host->report.status;
  budget_end(host);
  return status;
}

static int enter(rule_host *host, lua_CFunction body) {
  lua_State *L = host->L;
  lua_settop(L, 0);
  lua_pushcfunction(L, budget_on_error);
  lua_pushcfunction(L, body);
  return leave(host, lua_pcall(L, 0, 0, 1));
}

/* Loading. */

/* A complaint of the parser has no frame on the stack: its position stands in the text alone. */
static void note_syntax(lua_State *L, rule_host *host) {
  const char *message = lua_tostring(L, -1);
  if (!message) message = "the file cannot be read";
  for (const char *p = strchr(message, ':'); p; p = strchr(p + 1, ':')) {
    char *end;
    long line = strtol(p + 1, &end, 10);
    if (end == p + 1 || end[0] != ':' || end[1] != ' ') continue;
    host->report.line = (int32_t)line;
    message = end + 2;
    break;
  }
  snprintf(host->report.file, RULE_FILE_BYTES, "%s", host->load_path);
  budget_set_message(host, message, strlen(message));
}

/* Leaves the compiled file on the stack. Text only: bytecode can break the machine. */
static void compile(lua_State *L) {
  rule_host *host = host_of(L);
  const char *name = lua_pushfstring(L, "@%s", host->load_path);
  int code = luaL_loadbufferx(L, host->load_text, host->load_count, name, "t");
  if (code == LUA_ERRSYNTAX) {
    note_syntax(L, host);
    host->stop = RULE_ERROR;
    budget_raise_again(L);
  }
  if (code != LUA_OK) lua_error(L);
  lua_remove(L, -2);
}

static int append_dump(lua_State *L, const void *bytes, size_t count, void *context) {
  (void)L;
  document_buffer_append(context, bytes, count);
  return 0;
}

static void report_text(rule_host *host) {
  host->report.text = host->json.bytes;
  host->report.text_count = host->json.count;
}

static int compile_body(lua_State *L) {
  rule_host *host = host_of(L);
  compile(L);
  lua_dump(L, append_dump, &host->json, 0);
  if (host->json.failed) luaL_error(L, "this file is too large");
  report_text(host);
  return 0;
}

static void run_file(lua_State *L) {
  compile(L);
  lua_call(L, 0, 1);
}

static int library_body(lua_State *L) {
  rule_host *host = host_of(L);
  run_file(L);
  if (lua_isnil(L, -1)) return luaL_error(L, "a library must end with: return …");
  freeze_reachable(L, -1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->libraries_ref);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, host->load_name);
  return 0;
}

/* Takes a function out of the header; LUA_NOREF when there is none. */
static int take_function(lua_State *L, const char *key, int *line) {
  *line = 0;
  lua_pushstring(L, key);
  lua_rawget(L, 1);
  if (!lua_isfunction(L, -1)) {
    lua_pop(L, 1);
    return LUA_NOREF;
  }
  lua_Debug record;
  lua_pushvalue(L, -1);
  lua_getinfo(L, ">S", &record);
  *line = record.linedefined;
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void add_rule(lua_State *L, rule_host *host, loaded_rule rule) {
  if (host->rule_count == host->rule_capacity) {
    uint32_t capacity = host->rule_capacity ? host->rule_capacity * 2 : 64;
    loaded_rule *rules = realloc(host->rules, capacity * sizeof *rules);
    if (!rules) luaL_error(L, "no memory for another rule");
    host->rules = rules;
    host->rule_capacity = capacity;
  }
  host->report.slot = host->rule_count;
  host->rules[host->rule_count++] = rule;
}

void host_add_function(lua_State *L, rule_host *host, int function, int line) {
  loaded_rule rule = {.run = function, .when = LUA_NOREF, .run_line = line};
  add_rule(L, host, rule);
}

static int rule_body(lua_State *L) {
  rule_host *host = host_of(L);
  lua_pushboolean(L, 0);
  lua_rawseti(L, LUA_REGISTRYINDEX, host->rule_ref);
  run_file(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->rule_ref);
  if (!lua_istable(L, 1) || !lua_rawequal(L, 1, 2))
    return luaL_error(L, "a rule's file must end with: return rule { … }");
  lua_settop(L, 1);
  json_write(L, 1, &host->json, true);
  report_text(host);
  loaded_rule rule;
  rule.run = take_function(L, "run", &rule.run_line);
  rule.when = take_function(L, "when", &rule.when_line);
  rule.straight = false;
  lua_getfield(L, 1, "$segment");
  rule.is_segment = lua_toboolean(L, -1);
  lua_pop(L, 1);
  freeze_reachable(L, 1);
  add_rule(L, host, rule);
  return 0;
}

static int evaluate_body(lua_State *L) {
  rule_host *host = host_of(L);
  run_file(L);
  if (!lua_istable(L, -1)) return luaL_error(L, "this file must end with: return { … }");
  json_write(L, -1, &host->json, false);
  report_text(host);
  return 0;
}

static int load(rule_host *host, enum phase phase, const char *path, const char *text, size_t count, lua_CFunction body) {
  budget_begin(host, true);
  host->phase = phase;
  host->load_path = path;
  host->load_text = text;
  host->load_count = count;
  host->fallback_line = 1;
  host->closures.count = 0;
  host->closures.failed = false;
  int status = enter(host, body);
  if (!host->report.file[0]) snprintf(host->report.file, RULE_FILE_BYTES, "%s", path);
  return status;
}

int rule_host_compile(rule_host *host, const char *path, const char *text, size_t count) {
  return load(host, PHASE_LOADING, path, text, count, compile_body);
}

int rule_host_load_library(rule_host *host, const char *name, const char *path, const char *text, size_t count) {
  host->load_name = name;
  return load(host, PHASE_LOADING, path, text, count, library_body);
}

int rule_host_load_rule(rule_host *host, const char *path, const char *text, size_t count) {
  return load(host, PHASE_LOADING, path, text, count, rule_body);
}

int rule_host_evaluate(rule_host *host, const char *path, const char *text, size_t count) {
  return load(host, PHASE_EVALUATING, path, text, count, evaluate_body);
}

/* Constructors of configuration. */

static int construct(lua_State *L) {
  const char *word = lua_tostring(L, lua_upvalueindex(1));
  if (lua_gettop(L) != 1) return luaL_error(L, "%s takes one value, such as %s \"name\"", word, word);
  lua_createtable(L, 0, 1);
  lua_pushfstring(L, "$%s", word);
  lua_pushvalue(L, 1);
  lua_rawset(L, -3);
  return 1;
}

static int add_constructor_body(lua_State *L) {
  rule_host *host = host_of(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->words_ref);
  lua_pushstring(L, host->load_name);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, construct, 1);
  lua_rawset(L, -3);
  return 0;
}

int rule_host_add_constructor(rule_host *host, const char *word) {
  host->load_name = word;
  return load(host, PHASE_LOADING, word, "", 0, add_constructor_body);
}

/* Running. */

void rule_host_trust(rule_host *host, uint32_t slot) { host->rules[slot].straight = true; }

/* The date that a run goes by. A text takes memory, and so it is made inside of a protected call. */
static int date_body(lua_State *L) {
  const rule_input *input = host_of(L)->input;
  lua_pushlstring(L, input->date, input->date_count);
  return 1;
}

/* Calls a function of a rule with (event, customer), protected and without a C function in between. What
 * is pushed here allocates nothing and so cannot raise. */
static int call_protected(rule_host *host, int function, int line, int results) {
  lua_State *L = host->L;
  host->fallback_line = line;
  lua_settop(L, 0);
  lua_pushcfunction(L, budget_on_error);
  if (host->phase == PHASE_RUNNING && host->input->date) {
    lua_pushcfunction(L, date_body);
    int code = lua_pcall(L, 0, 1, 1);
    if (code != LUA_OK) return code;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, function);
  int count = values_push_subjects(L, host);
  if (host->is_segment) {
    lua_remove(L, -count);
    count--;
  }
  return lua_pcall(L, count, results, 1);
}

/* Where the numbers that `when` draws begin, in a rule whose runs are played again. */
#define WHEN_RANDOMS ((uint64_t)1 << 62)

/* Whether to go on to `run`; otherwise the report says why not. */
static bool matches(rule_host *host, const loaded_rule *rule, int *code) {
  host->phase = PHASE_WHEN;
  *code = call_protected(host, rule->when, rule->when_line, 1);
  if (*code != LUA_OK || host->stop) return false;
  if (lua_isboolean(host->L, -1)) {
    if (lua_toboolean(host->L, -1)) return true;
    host->report.status = RULE_NOT_MATCHED;
    return false;
  }
  char text[96];
  int count = snprintf(text, sizeof text, "'when' must return true or false; it returned %s%s",
                       lua_isnil(host->L, -1) ? "" : "a ", values_type_name(host->L, -1));
  host->report.line = rule->when_line;
  budget_set_message(host, text, (size_t)count);
  host->report.status = RULE_ERROR;
  return false;
}

int rule_host_run(rule_host *host, uint32_t slot, const rule_input *input) {
  budget_begin(host, !host->rules[slot].straight);
  host->input = input;
  host->generation = (host->generation + 1) & (((uint64_t)1 << (64 - HANDLE_NODE_BITS - HANDLE_SLOT_BITS)) - 1);
  if (host->generation == 0) host->generation = 1;
  host->randoms = input->randoms;
  host->replayed = 0;
  host->more_count = 0;
  host->traits_slot = 0;
  state_begin(host);
  const loaded_rule *rule = &host->rules[slot];
  host->is_segment = rule->is_segment;
  int code = LUA_OK;
  bool asks = rule->when != LUA_NOREF && !input->skips_when;
  /* `when` is asked once and `run` is played again: what the one draws must not move the other's numbers. */
  if (asks && input->journal) host->randoms = WHEN_RANDOMS;
  if (!events_begin(host)) {
    static const char text[] = "there is no memory left for the events of this run";
    budget_set_message(host, text, sizeof text - 1);
    host->report.status = RULE_MEMORY;
    return leave(host, code);
  }
  bool goes_on = (!asks || matches(host, rule, &code)) && !rule->is_segment && !input->only_when;
  if (goes_on && input->sleeps_first) {
    host->stop = RULE_SUSPENDED;
    host->report.line = rule->run_line;
  } else if (goes_on) {
    if (input->journal) host->randoms = input->randoms;
    host->phase = PHASE_RUNNING;
    code = call_protected(host, rule->run, rule->run_line, 0);
    host->report.state_touched = host->state_loaded;
    if (keeps_effects(host->stop ? (uint32_t)host->stop : code == LUA_OK ? RULE_OK : RULE_ERROR)) state_finish(host);
  }
  return leave(host, code);
}

/* Making requests out of messages. */

static int transform_body(lua_State *L) {
  rule_host *host = host_of(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->libraries_ref);
  lua_pushstring(L, host->load_name);
  lua_rawget(L, -2);
  if (lua_istable(L, -1)) {
    tables_push_entries(L, -1);
    lua_getfield(L, -1, "transform");
  }
  if (!lua_isfunction(L, -1))
    return luaL_error(L, "the library %s must return a function, or a table with the function transform", host->load_name);
  values_push_handle(L, SLOT_EVENT_DATA, 0);
  lua_call(L, 1, 1);
  if (lua_isnil(L, -1)) return 0;
  if (!lua_istable(L, -1)) return luaL_error(L, "it must return a table or nil, and returned a %s", values_type_name(L, -1));
  json_write(L, -1, &host->json, false);
  report_text(host);
  return 0;
}

int rule_host_transform(rule_host *host, const char *library, const document *message) {
  rule_input input = {.event = {.document = message, .data = 0, .traits = UINT32_MAX, .context = UINT32_MAX}};
  budget_begin(host, true);
  host->phase = PHASE_EVALUATING;
  host->load_name = library;
  host->fallback_line = 1;
  host->input = &input;
  host->more_count = 0;
  host->generation = (host->generation + 1) & (((uint64_t)1 << (64 - HANDLE_NODE_BITS - HANDLE_SLOT_BITS)) - 1);
  if (host->generation == 0) host->generation = 1;
  return enter(host, transform_body);
}

/* Tests of rules. */

static int prepare_tests_body(lua_State *L) {
  host_of(L)->test_ref = tests_install(L);
  return 0;
}

int rule_host_prepare_tests(rule_host *host) { return load(host, PHASE_LOADING, "", "", 0, prepare_tests_body); }

static int add_test_word_body(lua_State *L) {
  rule_host *host = host_of(L);
  tests_add_word(L, host->load_name, (uint32_t)host->load_count);
  return 0;
}

int rule_host_add_test_word(rule_host *host, const char *name, uint32_t word) {
  host->load_name = name;
  return load(host, PHASE_LOADING, name, "", word, add_test_word_body);
}

/* What is kept from one test to the next must not change in between. */
static int tests_body(lua_State *L) {
  rule_host *host = host_of(L);
  run_file(L);
  for (uint32_t slot = 0; slot < host->rule_count; slot++) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->rules[slot].run);
    freeze_reachable(L, -1);
    lua_pop(L, 1);
  }
  return 0;
}

int rule_host_load_tests(rule_host *host, const char *path, const char *text, size_t count) {
  return load(host, PHASE_DECLARING, path, text, count, tests_body);
}

int rule_host_run_test(rule_host *host, uint32_t slot) {
  lua_State *L = host->L;
  budget_begin(host, true);
  host->phase = PHASE_TESTING;
  host->fallback_line = host->rules[slot].run_line;
  lua_settop(L, 0);
  lua_pushcfunction(L, budget_on_error);
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->rules[slot].run);
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->test_ref);
  return leave(host, lua_pcall(L, 1, 0, 1));
}
