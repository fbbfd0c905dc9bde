/*
 * What the files of this room share: the host's memory layout and the few functions they call on each
 * other. Not visible outside.
 *
 * Thread: the host's. Promise: functions that take a lua_State run inside a protected call and may raise;
 * those that take only a host never raise.
 */
#ifndef NUDGED_HOST_PRIVATE_H
#define NUDGED_HOST_PRIVATE_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "rule_host.h"

/* Which words are allowed depends on what is going on. */
enum phase { PHASE_IDLE, PHASE_LOADING, PHASE_EVALUATING, PHASE_WHEN, PHASE_RUNNING, PHASE_DECLARING, PHASE_TESTING };

/* Every event and traits handle is a light userdata: generation, slot, node. The generation moves with
 * each run, so a handle that outlived its run is recognised and cannot read another customer's data. The
 * first slots are the same in every run; a run that waits gets one more for each thing it received. */
/* 131,072 nodes are more than any text that a rule may read can have; as many slots are more than a journal
 * and the budget let a run receive. */
enum { HANDLE_NODE_BITS = 17, HANDLE_SLOT_BITS = 17, SLOTS = 1 << HANDLE_SLOT_BITS };
enum slot { SLOT_EVENT = 0, SLOT_CUSTOMER = 1, SLOT_EVENT_DATA = 2, SLOT_TRAITS = 3, SLOT_NOTHING = 4, SLOT_FIRST_MORE = 5 };

/* What a slot beyond the first ones stands for. */
typedef struct more_slot {
  enum slot kind; /* SLOT_EVENT, SLOT_EVENT_DATA or SLOT_TRAITS */
  const document *document;
  rule_event event; /* of SLOT_EVENT */
  uint32_t data_slot;
} more_slot;

typedef struct loaded_rule {
  int run;
  int when; /* LUA_NOREF: none */
  int run_line;
  int when_line;
  bool straight; /* runs without the hook */
  bool is_segment; /* it has only `when`, which is asked about a subject and no event */
} loaded_rule;

typedef struct state_text {
  uint32_t offset;
  uint32_t count;
  bool owned;
} state_text;

typedef struct state_entry {
  state_text key;
  uint32_t kind; /* RULE_BOOLEAN, RULE_INTEGER, RULE_NUMBER, RULE_TEXT */
  union {
    int64_t integer;
    double number;
    state_text text;
  };
} state_entry;

/* More than a rule may write: a stored state is read whole, whatever the limit is now. */
enum { STATE_ENTRIES = 256 };

struct rule_host {
  lua_State *L;
  rule_limits limits;
  enum phase phase;

  /* Memory. */
  size_t bytes;
  size_t bytes_at_start; /* of the current entry */
  size_t collect_at;     /* a run that has grown to this is collected once */
  size_t bytes_at_step;  /* after the last step of the collector */
  uint64_t allocations;
  uint64_t fail_from;
  bool growth_bounded;
  bool refused; /* the last request to grow was refused; the next refusal is final */

  /* Budget. `stop` is sticky until the entry ends: a rule_status, or 0. */
  uint64_t used;
  int stop;
  bool clock_started;
  int64_t cpu_start;
  int64_t coarse;

  /* The run. */
  const rule_input *input;
  uint64_t generation;
  uint64_t randoms;
  uint64_t replayed; /* units of the activations that were played again */
  more_slot *more;   /* slots from SLOT_FIRST_MORE on */
  uint32_t more_count;
  uint32_t more_capacity;
  uint32_t traits_slot; /* of the activation at hand; 0: not asked for yet */
  int fallback_line;
  rule_callback callback;
  void *context;
  rule_reply reply;

  /* `state`, read at the first touch. Offsets lie in `state_given` or, when owned, in the arena. */
  bool state_loaded;
  bool state_dirty;
  uint32_t state_count;
  size_t state_size; /* as text, about */
  const char *state_given;
  document *state_document; /* when the given text was not in the simple form */
  document_buffer state_arena;
  state_entry state[STATE_ENTRIES + 1];
  document_parser *parser;

  /* Scratch that belongs to no Lua value and so survives a jump. `text` is used as a stack. */
  document_buffer text;
  document_buffer json;
  document_buffer closures;
  bool keep_closures;

  /* What loading needs. */
  loaded_rule *rules;
  uint32_t rule_count;
  uint32_t rule_capacity;
  bool is_segment; /* the rule at hand is one */
  const char *load_path;
  const char *load_name;
  const char *load_text;
  size_t load_count;
  int words_ref;     /* the table behind all globals */
  int libraries_ref; /* name -> frozen value */
  int rule_ref;      /* the last table given to rule{…} */
  int test_ref;      /* what tests get as `t`; only in hosts of tests */

  /* Functions of the stock libraries that ours charge for and then call. */
  lua_CFunction stock[24];

  rule_report report;
};

static inline rule_host *host_of(lua_State *L) { return *(rule_host **)lua_getextraspace(L); }

/* rule_budget.c */
void *budget_allocate(void *context, void *block, size_t old_size, size_t new_size);
void budget_begin(rule_host *host, bool hooked);
/* A wait is over: what comes is budgeted anew, what was is charged to the replay. */
void budget_next(lua_State *L);
void budget_end(rule_host *host);
void budget_charge(lua_State *L, uint64_t units);
_Noreturn void budget_stop(lua_State *L, int status, const char *text, size_t count);
_Noreturn void budget_raise_again(lua_State *L);
void budget_note(rule_host *host, lua_State *L, int first_level);
void budget_set_message(rule_host *host, const char *text, size_t count);
int budget_on_error(lua_State *L);

/* rule_values.c */
void values_install(lua_State *L);
void values_push_handle(lua_State *L, uint32_t slot, uint32_t node);
/* Pushes the arguments of run and when; never raises. Returns how many. */
int values_push_subjects(lua_State *L, rule_host *host);
/* Pushes a received event, or a document, under a slot of its own. */
void values_push_event(lua_State *L, const rule_event *event);
void values_push_document(lua_State *L, const document *d);
void values_push_node(lua_State *L, const document *d, uint32_t slot, uint32_t node);
bool values_is_handle(lua_State *L, int index);
/* The document, node and slot behind a handle; false for one that has neither. Raises when it is stale.
 * `kind` is the slot of a kind with it among the first ones. */
bool values_document(lua_State *L, int index, const document **d, uint32_t *node, uint32_t *slot, enum slot *kind);
const char *values_type_name(lua_State *L, int index);
extern char values_null, values_empty_list;

/* rule_json.c */
void json_write(lua_State *L, int index, document_buffer *out, bool functions);
/* Whether the bytes are valid UTF-8. */
bool json_is_text(const char *bytes, size_t count);

/* rule_state.c */
void state_install(lua_State *L);
void state_begin(rule_host *host);
void state_finish(rule_host *host);

/* rule_reads.c */
void reads_note(lua_State *L, const char *prefix, const char *key, size_t count, int value);
/* A trait was read, or NULL: all of them. */
void reads_note_trait(rule_host *host, const char *key, size_t count);

/* rule_tables.c */
bool tables_is_frozen(lua_State *L, int index);
/* Pushes the table that holds the entries: the one behind a frozen table, or the table itself. */
void tables_push_entries(lua_State *L, int index);
void tables_freeze_one(lua_State *L, int index);
int tables_pairs(lua_State *L);
int tables_sort(lua_State *L);

/* rule_freeze.c */
void freeze_reachable(lua_State *L, int index);

/* rule_strings.c */
extern const luaL_Reg strings_functions[];

/* rule_sandbox.c */
void sandbox_install(lua_State *L);
const char *sandbox_nearest(const char *word, const char *const *names);
/* Pushes text for people, without addresses. */
void sandbox_push_text(lua_State *L, int index);

/* host_call.c */
extern const luaL_Reg host_words[];
/* Pushes one text that Swift knows, or nil. */
void host_push_field(lua_State *L, enum rule_field field, uint32_t event);
/* Asks Swift with all that is on the stack as arguments, and pushes or raises what it answers. */
int host_ask(lua_State *L, uint32_t word, const char *name);

/* rule_host.c */
void host_add_function(lua_State *L, rule_host *host, int function, int line);

/* rule_tests.c */
int tests_install(lua_State *L);
void tests_add_word(lua_State *L, const char *name, uint32_t word);

#endif
