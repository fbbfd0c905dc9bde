/*
 * The rule host: one Lua state with its sandbox, its limits and the values it may see. This header is
 * all that Swift knows of Lua; no type of lua.h passes through it.
 *
 * Thread: a host belongs to the thread that created it; one entry at a time. Promise: every entry enters
 * Lua by a protected call only (a run by two, `when` and `run`), returns a status and never jumps over
 * its caller; Swift is called back
 * only with plain decoded values, and what it answers is pushed or raised after it has returned.
 */
#ifndef NUDGED_RULE_HOST_H
#define NUDGED_RULE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "document.h"

typedef struct rule_host rule_host;

typedef struct rule_limits {
  uint64_t units;        /* instructions and charged work of one run */
  int64_t cpu_ns;        /* second net: CPU time of this thread in one run */
  size_t state_bytes;    /* the whole Lua state */
  size_t growth_bytes;   /* what one run may add to it */
  size_t block_bytes;    /* the largest single block: one text, one table's array */
  size_t argument_bytes; /* one argument of a host word, as text */
  uint32_t state_keys;   /* keys of `state` */
  size_t state_text_bytes;
} rule_limits;

enum rule_status {
  RULE_OK = 0,
  RULE_NOT_MATCHED = 1, /* `when` returned false */
  RULE_SKIPPED = 2,     /* skip(…) or check(…) */
  RULE_ERROR = 3,
  RULE_UNITS = 4,  /* the budget of units is used up */
  RULE_MEMORY = 5, /* a memory limit */
  RULE_TIME = 6,   /* the CPU time is used up */
  RULE_SUSPENDED = 7, /* a wait word; what it asked for so far stands */
  RULE_FINISHED = 8,  /* finish(…); likewise */
  RULE_DIVERGED = 9   /* the run did not do again what its journal says it did */
};

enum rule_value_kind {
  RULE_NIL = 0,
  RULE_BOOLEAN = 1,
  RULE_INTEGER = 2,
  RULE_NUMBER = 3,
  RULE_TEXT = 4, /* valid UTF-8 */
  RULE_JSON = 5, /* a table or event data, written as JSON text */
  /* Answers only: */
  RULE_EVENT = 6,   /* the event in `rule_reply.event` */
  RULE_DOCUMENT = 7 /* the document in `rule_reply.document`, read-only */
};

/* One decoded argument or answer. `bytes` is borrowed: of an argument until the callback returns, of
 * an answer until the next callback. */
typedef struct rule_value {
  uint32_t kind;
  uint32_t count;
  union {
    int64_t integer; /* also a boolean */
    double number;
    const char *bytes;
  };
} rule_value;

/* What the callback is asked. */
enum rule_word {
  RULE_WORD_FIELD = 0, /* the text of one field; argument 0 is a rule_field */
  RULE_WORD_SEND = 1,
  RULE_WORD_SET = 2,
  RULE_WORD_EMIT = 3,
  RULE_WORD_LOG = 4,
  RULE_WORD_WAIT = 5,
  RULE_WORD_WAIT_UNTIL = 6,
  RULE_WORD_WAIT_FOR = 7, /* the last argument says whether a function decides on candidates */
  RULE_WORD_WAIT_ANY = 8, /* likewise */
  RULE_WORD_CANDIDATE = 9, /* what that function said of the last one */
  RULE_WORD_CALL = 10,
  RULE_WORD_FINISH = 11,
  RULE_WORD_CHECKPOINT = 12,
  RULE_WORD_CALENDAR = 25,
  /* What windows tell; the last argument says whether `when`, or a function that only decides, asks. */
  RULE_WORD_COUNT = 17,
  RULE_WORD_SUM = 18,
  RULE_WORD_MIN = 19,
  RULE_WORD_MAX = 20,
  RULE_WORD_AVG = 21,
  RULE_WORD_DISTINCT = 22,
  RULE_WORD_FIRST = 23,
  RULE_WORD_LAST = 24,
  RULE_WORD_COLLECTED = 40, /* one of the events that the run was begun with; argument 0 is its place from 1 */
  /* Of test files: */
  RULE_WORD_TEST = 13,    /* a test was declared: its sentence, line and slot */
  RULE_WORD_RULES = 14,   /* rules { … } */
  RULE_WORD_MISSING = 15, /* a word that `t` does not have was asked for; the answer says so */
  RULE_WORD_OF_TEST = 64  /* the first of the words that Swift adds to `t` */
};

enum rule_field {
  RULE_FIELD_EVENT_NAME = 0,
  RULE_FIELD_EVENT_ID = 1,
  RULE_FIELD_EVENT_SOURCE = 2,
  RULE_FIELD_EVENT_USER = 3,
  RULE_FIELD_EVENT_ACCOUNT = 4,
  RULE_FIELD_EVENT_THING = 5,
  RULE_FIELD_CUSTOMER_ID = 6,
  RULE_FIELD_CUSTOMER_ACCOUNT = 7
};

enum rule_reply_code {
  RULE_REPLY_OK = 0,
  RULE_REPLY_ERROR = 1,   /* raised in the rule, with `message` */
  RULE_REPLY_LIMIT = 2,   /* a limit of the run, with `message`; no pcall holds it */
  RULE_REPLY_SUSPEND = 3, /* the run ends here and keeps its effects */
  RULE_REPLY_FINISH = 4,  /* likewise, for good */
  RULE_REPLY_DIVERGED = 5,
  RULE_REPLY_SKIP = 7,     /* the run ends for the reason in `message`; nothing it asked for happens */
  RULE_REPLY_CANDIDATE = 6 /* `event` may be the one: the rule's function is asked */
};

enum { RULE_MESSAGE_BYTES = 512, RULE_FILE_BYTES = 256 };

/* An event a rule may read. `index` says to the callback which one a field is asked of; 0: the one that
 * started the run. Borrowed until the entry returns. */
typedef struct rule_event {
  const document *document;
  uint32_t data; /* nodes in `document`; UINT32_MAX: absent */
  uint32_t traits;
  uint32_t context;
  uint32_t index;
  int64_t time;
} rule_event;

typedef struct rule_reply {
  uint32_t code;
  uint32_t message_count;
  rule_value value;
  rule_value second; /* of two answers the other one; nil: there is one */
  rule_event event;
  const document *document;
  uint32_t work; /* units that answering has cost, charged to the run */
  bool moved; /* a wait is over: the callback has put the next activation's values into the input */
  char message[RULE_MESSAGE_BYTES];
} rule_reply;

/* Must not touch the host; returns by filling `reply`, whose code is RULE_REPLY_OK and value nil before. */
typedef void (*rule_callback)(void *context, uint32_t word, const rule_value *arguments, uint32_t count,
                              rule_reply *reply);

/* What a rule may read in one run. Documents are borrowed until the entry returns. In a run that is
 * played again the callback changes `now`, the traits and the state at each wait that is over. */
typedef struct rule_input {
  rule_event event;
  int64_t now;
  const document *customer_traits; /* NULL: none */
  const char *state;               /* JSON object text, or nothing */
  size_t state_count;
  uint64_t seed_high;
  uint64_t seed_low;
  uint64_t randoms;        /* drawn before this entry, by a run that was cut short by a checkpoint */
  uint64_t replay_units;   /* what playing it again may cost in all */
  const document *saved;   /* the table of the last checkpoint; NULL: none */
  const char *date;        /* of a run that goes by a date: `run` gets it, before what is saved; NULL: none is known */
  size_t date_count;
  bool has_date;
  bool sleeps_first;       /* the run waits before `run` is called at all */
  bool journal;            /* tells which traits were read */
  bool skips_when;         /* `when` was asked at the start of the run */
  bool only_when;          /* nothing but `when` is asked: RULE_OK or RULE_NOT_MATCHED */
  uint32_t collected;      /* how many events began the run, for a rule that gets a list of them; 0: no list */
} rule_input;

enum { RULE_READS = 8, RULE_READ_NAME = 72, RULE_READ_VALUE = 48 };

typedef struct rule_read {
  uint32_t name_count;
  uint32_t value_count;
  char name[RULE_READ_NAME];
  char value[RULE_READ_VALUE];
} rule_read;

/* The name of a trait that was read. */
enum { RULE_TRAITS = 16, RULE_TRAIT_NAME = 64 };
typedef struct rule_trait {
  uint32_t count;
  char name[RULE_TRAIT_NAME];
} rule_trait;

/* What the last entry left behind; valid until the next one. */
typedef struct rule_report {
  uint32_t status;
  int32_t line;
  uint64_t units;
  uint32_t message_count;
  uint32_t read_count;
  bool state_changed;
  const char *text; /* new state, header, evaluated table or bytecode, depending on the entry */
  size_t text_count;
  uint32_t slot; /* of a rule just loaded */
  uint64_t randoms;    /* numbers drawn */
  bool state_touched;  /* in the last activation; so are the traits */
  bool all_traits;     /* more of them than can be told one by one */
  uint32_t trait_count;
  rule_trait traits[RULE_TRAITS];
  rule_read reads[RULE_READS];
  char message[RULE_MESSAGE_BYTES];
  char file[RULE_FILE_BYTES];
} rule_report;

static inline const rule_read *rule_report_read(const rule_report *report, uint32_t index) { return report->reads + index; }
static inline const rule_trait *rule_report_trait(const rule_report *report, uint32_t index) { return report->traits + index; }
static inline const char *rule_trait_name(const rule_trait *trait) { return trait->name; }
static inline const char *rule_read_name(const rule_read *read) { return read->name; }
static inline const char *rule_read_value(const rule_read *read) { return read->value; }
static inline const char *rule_report_message(const rule_report *report) { return report->message; }
static inline const char *rule_report_file(const rule_report *report) { return report->file; }
static inline char *rule_reply_message(rule_reply *reply) { return reply->message; }

/* NULL when memory is short. `fail_from` is for tests: from that allocation on, counted from 1, every
 * one that grows is refused; 0: none. */
rule_host *rule_host_create(const rule_limits *limits, uint64_t fail_from);
void rule_host_close(rule_host *host);
void rule_host_set_callback(rule_host *host, rule_callback callback, void *context);
/* For tests: counts anew from now. */
void rule_host_fail_from(rule_host *host, uint64_t allocation);
uint64_t rule_host_allocations(const rule_host *host);
size_t rule_host_bytes(const rule_host *host);
const rule_report *rule_host_report(const rule_host *host);

/* Compiles and leaves the bytecode in the report, for whoever wants to look before anything runs. */
int rule_host_compile(rule_host *host, const char *path, const char *text, size_t count);

/* Runs a library's file; its value is frozen and answered by use(name) from then on. */
int rule_host_load_library(rule_host *host, const char *name, const char *path, const char *text, size_t count);

/* Runs a rule's file; the report holds its slot and its header as JSON, functions as {"$function":line}. */
int rule_host_load_rule(rule_host *host, const char *path, const char *text, size_t count);

/* After a load: the bytecode of each closure that outlives it, one after the other, each preceded by
 * its size as 8 bytes in native order. They are collected only when asked for beforehand. */
void rule_host_keep_closures(rule_host *host, bool keep);
const document_buffer *rule_host_closures(const rule_host *host);

/* Adds a constructor: word "x" makes x(value) give {["$x"] = value}. For configuration. */
int rule_host_add_constructor(rule_host *host, const char *word);
/* Runs a file and leaves the table it returns as JSON in the report. */
int rule_host_evaluate(rule_host *host, const char *path, const char *text, size_t count);

/* For tests of rules: gives the host the words test and rules, and a `t` without words; then one word
 * after the other to that `t`. */
int rule_host_prepare_tests(rule_host *host);
int rule_host_add_test_word(rule_host *host, const char *name, uint32_t word);
/* Runs a test file; every test it declares is told to the callback. */
int rule_host_load_tests(rule_host *host, const char *path, const char *text, size_t count);
/* One test. */
int rule_host_run_test(rule_host *host, uint32_t slot);

/* Says that a rule's functions are short, have no loops and call nothing but words and library functions.
 * Such a rule needs no instruction hook, which would cost more than the rule itself; what it calls is
 * charged all the same. */
void rule_host_trust(rule_host *host, uint32_t slot);

/* Calls the function that a library is, or its field `transform`, with a document; the report holds the table it
 * returns as JSON, or nothing when it returns nil. */
int rule_host_transform(rule_host *host, const char *library, const document *message);

/* One run of one rule. */
int rule_host_run(rule_host *host, uint32_t slot, const rule_input *input);

#endif
