/*
 * A parsed JSON text as one flat, read-only block of memory: what events, traits, rule headers and
 * configuration look like between the parser and everyone who reads them.
 *
 * Thread: a block is written once by document_parse and never changes; any thread may read it.
 * A document_parser belongs to one thread. Promise: bounds on depth and size are kept, text is valid
 * UTF-8, 64-bit integers are exact, and when a key stands twice in an object THE FIRST ONE COUNTS.
 */
#ifndef NUDGED_DOCUMENT_H
#define NUDGED_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum document_kind {
  DOCUMENT_NULL = 0,
  DOCUMENT_FALSE = 1,
  DOCUMENT_TRUE = 2,
  DOCUMENT_INTEGER = 3,  /* integer: int64 */
  DOCUMENT_UNSIGNED = 4, /* integer above INT64_MAX, kept as its uint64 bits */
  DOCUMENT_DOUBLE = 5,
  DOCUMENT_STRING = 6,   /* offset into the text area, count bytes, a NUL follows */
  DOCUMENT_ARRAY = 7,    /* count elements follow; next is the index after the last */
  DOCUMENT_OBJECT = 8    /* count pairs (STRING node, value) follow; next likewise */
};

typedef struct document_node {
  uint32_t kind;
  uint32_t count; /* bytes of a string, elements of an array, members of an object */
  union {
    int64_t integer;
    double number;
    uint64_t offset; /* string: byte offset into the text area */
    uint64_t next;   /* array, object: index of the node after everything inside */
  };
} document_node;

/* One block: this head, then node_count nodes, then the text area. Free with document_free. */
typedef struct document {
  uint32_t node_count;
  uint32_t text_size;
  uint64_t generation; /* for whoever hands out handles; set by the owner, 0 at first */
} document;

static inline const document_node *document_nodes(const document *d) { return (const document_node *)(d + 1); }
static inline const char *document_text(const document *d) {
  return (const char *)(document_nodes(d) + d->node_count);
}
static inline const char *document_string(const document *d, const document_node *n) {
  return document_text(d) + n->offset;
}
static inline uint32_t document_after(const document *d, uint32_t index) {
  const document_node *n = document_nodes(d) + index;
  return n->kind >= DOCUMENT_ARRAY ? (uint32_t)n->next : index + 1;
}

typedef struct document_parser document_parser;

enum document_status {
  DOCUMENT_OK = 0,
  DOCUMENT_INVALID = 1,      /* not JSON */
  DOCUMENT_TOO_DEEP = 2,
  DOCUMENT_TOO_LARGE = 3,
  DOCUMENT_BAD_UTF8 = 4,
  DOCUMENT_NUMBER_RANGE = 5, /* an integer that does not fit 64 bits, or a number out of range */
  DOCUMENT_NO_MEMORY = 6,
  DOCUMENT_EMPTY = 7
};

/* max_bytes bounds one text, max_depth its nesting. NULL when memory is short. */
document_parser *document_parser_create(size_t max_bytes, uint32_t max_depth);
void document_parser_free(document_parser *parser);

/* Parses `count` bytes; copies what it needs, so `bytes` may go afterwards. On failure *status says
 * why and NULL is returned. */
document *document_parse(document_parser *parser, const char *bytes, size_t count, int *status);
void document_free(document *d);

/* Index of the value of `key` in the object at `object`, or UINT32_MAX. */
uint32_t document_member(const document *d, uint32_t object, const char *key, size_t count);

/* A name to look for, and where an element of an array stands in the text. */
typedef struct document_name {
  const char *bytes;
  size_t count;
} document_name;
typedef struct document_span {
  size_t offset;
  size_t count;
} document_span;

/* Indices of the values of several keys at once, in one pass over the object; UINT32_MAX for those that
 * are not there. */
void document_fields(const document *d, uint32_t object, const document_name *names, uint32_t count, uint32_t *found);

/* Where the elements of the array stand in a text that was parsed before; their number, or 0 when there
 * are none or more than `capacity`. */
size_t document_split(const char *bytes, size_t count, document_span *spans, size_t capacity);

/* Index of element `position` (from 0) of the array at `array`, or UINT32_MAX. */
uint32_t document_element(const document *d, uint32_t array, uint32_t position);

/* Shortest text that reads back as the same double, always recognisable as a double ("1.0", "1e+300");
 * returns its length (at most 32). The number must be finite. */
size_t document_format_double(double number, char *out);

/* A growing byte buffer for writers in C; `failed` is sticky after memory ran out. */
typedef struct document_buffer {
  char *bytes;
  size_t count;
  size_t capacity;
  size_t limit; /* refuse to grow past this; 0: no bound */
  bool failed;
} document_buffer;

void document_buffer_free(document_buffer *b);
bool document_buffer_reserve(document_buffer *b, size_t more);
void document_buffer_append(document_buffer *b, const char *bytes, size_t count);
/* Appends a quoted, escaped JSON string. `bytes` must be valid UTF-8. */
void document_write_string(document_buffer *b, const char *bytes, size_t count);
void document_write_integer(document_buffer *b, int64_t value);
void document_write_double(document_buffer *b, double value);
/* Appends the node at `index` and everything in it as compact JSON. */
void document_write_node(document_buffer *b, const document *d, uint32_t index);

/* True when the bytes are valid UTF-8. */
bool document_valid_utf8(const char *bytes, size_t count);

#ifdef __cplusplus
}
#endif
#endif
