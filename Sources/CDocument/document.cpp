// simdjson behind an extern-C door: parses, then flattens its tape into one block of our own, so that
// no one else sees C++ and a document can outlive the parser and cross threads.
//
// Thread: a parser belongs to one thread; documents to anyone. Promise: no exception leaves this file.

#include "document.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

#include <simdjson.h>

using namespace simdjson;

struct document_parser {
  dom::parser parser;
  size_t max_bytes;
  uint32_t max_depth;
  // Padded copy of the text: simdjson reads past the end, and a caller's buffer need not allow that.
  char *padded = nullptr;
  size_t padded_capacity = 0;
  // Nodes are gathered here, so that the block can be made at its true size.
  document_node *nodes = nullptr;
  uint32_t node_count = 0;
  size_t node_capacity = 0;
  explicit document_parser(size_t bytes, uint32_t depth) : parser(bytes), max_bytes(bytes), max_depth(depth) {}
  ~document_parser() {
    std::free(padded);
    std::free(nodes);
  }
};

extern "C" document_parser *document_parser_create(size_t max_bytes, uint32_t max_depth) {
  try {
    // simdjson refuses capacities below its smallest document; the bound itself is checked in parse.
    document_parser *made = new document_parser(max_bytes < 4096 ? 4096 : max_bytes, max_depth);
    made->max_bytes = max_bytes;
    return made;
  } catch (...) {
    return nullptr;
  }
}

extern "C" void document_parser_free(document_parser *parser) { delete parser; }

static int status_of(error_code code) {
  switch (code) {
    case SUCCESS: return DOCUMENT_OK;
    case CAPACITY: return DOCUMENT_TOO_LARGE;
    case DEPTH_ERROR: return DOCUMENT_TOO_DEEP;
    case UTF8_ERROR: return DOCUMENT_BAD_UTF8;
    case NUMBER_ERROR: return DOCUMENT_NUMBER_RANGE;
    case MEMALLOC: return DOCUMENT_NO_MEMORY;
    case EMPTY: return DOCUMENT_EMPTY;
    default: return DOCUMENT_INVALID;
  }
}

namespace {

// The parser's tape, walked once without recursion: each word has a type in its top byte and a payload
// below. Containers tell how many they hold and where they end, strings where their bytes lie.
struct Walk {
  document_parser &p;
  size_t text_end = 0;
  bool failed = false;

  document_node *push() {
    if (p.node_count == p.node_capacity) {
      size_t grown = p.node_capacity ? p.node_capacity * 2 : 1024;
      document_node *nodes = (document_node *)std::realloc(p.nodes, grown * sizeof(document_node));
      if (!nodes) {
        failed = true;
        return nullptr;
      }
      p.nodes = nodes;
      p.node_capacity = grown;
    }
    return &p.nodes[p.node_count++];
  }

  bool run() {
    const uint64_t *tape = p.parser.doc.tape.get();
    const uint8_t *strings = p.parser.doc.string_buf.get();
    // Word 0 is the root and tells where its end is.
    size_t end = (size_t)(tape[0] & payload_mask) - 1;
    uint32_t open[1025];
    size_t depth = 0;
    p.node_count = 0;
    for (size_t position = 1; position < end; position++) {
      uint64_t word = tape[position];
      uint64_t payload = word & payload_mask;
      char type = (char)(word >> 56);
      if (type == '}' || type == ']') {
        p.nodes[open[--depth]].next = p.node_count;
        continue;
      }
      document_node *node = push();
      if (!node) return false;
      switch (type) {
        case '"': {
          uint32_t count;
          std::memcpy(&count, strings + payload, sizeof count);
          node->kind = DOCUMENT_STRING;
          node->count = count;
          node->offset = payload + sizeof count;
          text_end = payload + sizeof count + count + 1;
          break;
        }
        case '{':
        case '[':
          if (depth >= 1024) {
            failed = true;
            return false;
          }
          node->kind = type == '{' ? DOCUMENT_OBJECT : DOCUMENT_ARRAY;
          // The count on the tape stops at 2^24 - 1, so that a large array is counted when it is read.
          node->count = (uint32_t)(payload >> 32) & 0xFFFFFF;
          if (node->count == 0xFFFFFF) node->count = count_at(position);
          open[depth++] = p.node_count - 1;
          break;
        case 'l':
          node->kind = DOCUMENT_INTEGER;
          node->count = 0;
          node->integer = (int64_t)tape[++position];
          break;
        case 'u':
          node->kind = DOCUMENT_UNSIGNED;
          node->count = 0;
          node->integer = (int64_t)tape[++position];
          break;
        case 'd':
          node->kind = DOCUMENT_DOUBLE;
          node->count = 0;
          std::memcpy(&node->number, &tape[++position], sizeof node->number);
          break;
        default:
          node->kind = type == 't' ? DOCUMENT_TRUE : type == 'f' ? DOCUMENT_FALSE : DOCUMENT_NULL;
          node->count = 0;
          node->integer = 0;
          break;
      }
    }
    return true;
  }

  // Elements or members of the container whose first word is at `start`.
  uint32_t count_at(size_t start) {
    const uint64_t *tape = p.parser.doc.tape.get();
    bool is_object = (char)(tape[start] >> 56) == '{';
    uint32_t end = (uint32_t)tape[start];
    uint32_t values = 0;
    for (size_t position = start + 1; position + 1 < end; values++) {
      char type = (char)(tape[position] >> 56);
      if (type == '{' || type == '[') {
        position = (uint32_t)tape[position];
      } else {
        position += type == 'l' || type == 'u' || type == 'd' ? 2 : 1;
      }
    }
    return is_object ? values / 2 : values;
  }

  static constexpr uint64_t payload_mask = 0x00FFFFFFFFFFFFFFULL;
};

}  // namespace

extern "C" document *document_parse(document_parser *p, const char *bytes, size_t count, int *status) {
  if (count > p->max_bytes) {
    *status = DOCUMENT_TOO_LARGE;
    return nullptr;
  }
  size_t needed = count + SIMDJSON_PADDING;
  if (p->padded_capacity < needed) {
    char *grown = (char *)std::realloc(p->padded, needed + needed / 2);
    if (!grown) {
      *status = DOCUMENT_NO_MEMORY;
      return nullptr;
    }
    p->padded = grown;
    p->padded_capacity = needed + needed / 2;
  }
  if (count) std::memcpy(p->padded, bytes, count);
  std::memset(p->padded + count, 0, SIMDJSON_PADDING);

  // The parser keeps the buffers of its largest text; the depth bound is set together with them.
  if (p->parser.capacity() < count || p->parser.max_depth() != p->max_depth) {
    error_code grown = p->parser.allocate(count < 1024 ? 1024 : count * 2, p->max_depth);
    if (grown) {
      *status = status_of(grown);
      return nullptr;
    }
  }
  dom::element root;
  error_code code = p->parser.parse(p->padded, count, false).get(root);
  if (code) {
    *status = status_of(code);
    return nullptr;
  }
  Walk walk{*p};
  if (!walk.run()) {
    *status = DOCUMENT_NO_MEMORY;
    return nullptr;
  }
  size_t node_bytes = p->node_count * sizeof(document_node);
  document *d = (document *)std::malloc(sizeof(document) + node_bytes + walk.text_end);
  if (!d) {
    *status = DOCUMENT_NO_MEMORY;
    return nullptr;
  }
  d->node_count = p->node_count;
  d->text_size = (uint32_t)walk.text_end;
  d->generation = 0;
  std::memcpy((void *)document_nodes(d), p->nodes, node_bytes);
  if (walk.text_end) std::memcpy((void *)document_text(d), p->parser.doc.string_buf.get(), walk.text_end);
  *status = DOCUMENT_OK;
  return d;
}

extern "C" void document_free(document *d) { std::free(d); }

extern "C" uint32_t document_member(const document *d, uint32_t object, const char *key, size_t count) {
  const document_node *nodes = document_nodes(d);
  const char *text = document_text(d);
  if (nodes[object].kind != DOCUMENT_OBJECT) return UINT32_MAX;
  uint32_t index = object + 1;
  for (uint32_t left = nodes[object].count; left > 0; left--) {
    if (nodes[index].count == count && std::memcmp(text + nodes[index].offset, key, count) == 0) return index + 1;
    index = document_after(d, index + 1);
  }
  return UINT32_MAX;
}

extern "C" void document_fields(
    const document *d, uint32_t object, const document_name *names, uint32_t count, uint32_t *found) {
  const document_node *nodes = document_nodes(d);
  const char *text = document_text(d);
  for (uint32_t i = 0; i < count; i++) found[i] = UINT32_MAX;
  if (nodes[object].kind != DOCUMENT_OBJECT) return;
  uint32_t index = object + 1;
  for (uint32_t left = nodes[object].count; left > 0; left--) {
    uint32_t length = nodes[index].count;
    const char *key = text + nodes[index].offset;
    for (uint32_t i = 0; i < count; i++) {
      if (names[i].count == length && names[i].bytes[0] == key[0] && std::memcmp(names[i].bytes, key, length) == 0) {
        if (found[i] == UINT32_MAX) found[i] = index + 1;
        break;
      }
    }
    index = document_after(d, index + 1);
  }
}

extern "C" size_t document_split(const char *bytes, size_t count, document_span *spans, size_t capacity) {
  size_t position = 0;
  while (position < count && bytes[position] != '[') position++;
  position++;
  size_t found = 0;
  size_t depth = 0;
  size_t start = SIZE_MAX;
  size_t end = 0;
  for (; position < count; position++) {
    unsigned char c = (unsigned char)bytes[position];
    if (c == '"') {
      if (start == SIZE_MAX) start = position;
      // To the closing quote: one with an even number of backslashes before it.
      for (;;) {
        const char *quote = (const char *)std::memchr(bytes + position + 1, '"', count - position - 1);
        if (!quote) return 0;
        position = (size_t)(quote - bytes);
        size_t slashes = 0;
        while (bytes[position - 1 - slashes] == '\\') slashes++;
        if (slashes % 2 == 0) break;
      }
      end = position + 1;
      continue;
    }
    bool closes = c == ']' || c == '}';
    if (depth == 0 && (c == ',' || c == ']')) {
      if (start != SIZE_MAX) {
        if (found == capacity) return 0;
        spans[found++] = document_span{start, end - start};
      }
      if (c == ']') return found;
      start = SIZE_MAX;
      continue;
    }
    if (c <= ' ') continue;
    if (start == SIZE_MAX) start = position;
    if (c == '[' || c == '{') depth++;
    if (closes) depth--;
    end = position + 1;
  }
  return 0;
}

extern "C" uint32_t document_element(const document *d, uint32_t array, uint32_t position) {
  const document_node *nodes = document_nodes(d);
  if (nodes[array].kind != DOCUMENT_ARRAY || position >= nodes[array].count) return UINT32_MAX;
  uint32_t index = array + 1;
  while (position-- > 0) index = document_after(d, index);
  return index;
}

extern "C" size_t document_format_double(double number, char *out) {
  auto end = std::to_chars(out, out + 32, number);
  size_t count = (size_t)(end.ptr - out);
  // A double stays a double when read back: "5" becomes "5.0"; an exponent already says so.
  for (size_t i = 0; i < count; i++) {
    if (out[i] == '.' || out[i] == 'e' || out[i] == 'n' || out[i] == 'i') return count;
  }
  out[count] = '.';
  out[count + 1] = '0';
  return count + 2;
}

extern "C" void document_buffer_free(document_buffer *b) {
  std::free(b->bytes);
  b->bytes = nullptr;
  b->count = b->capacity = 0;
}

extern "C" bool document_buffer_reserve(document_buffer *b, size_t more) {
  if (b->failed) return false;
  if (b->capacity - b->count >= more) return true;
  size_t needed = b->count + more;
  if (b->limit && needed > b->limit) {
    b->failed = true;
    return false;
  }
  size_t grown = b->capacity ? b->capacity * 2 : 256;
  while (grown < needed) grown *= 2;
  char *bytes = (char *)std::realloc(b->bytes, grown);
  if (!bytes) {
    b->failed = true;
    return false;
  }
  b->bytes = bytes;
  b->capacity = grown;
  return true;
}

extern "C" void document_buffer_append(document_buffer *b, const char *bytes, size_t count) {
  if (!document_buffer_reserve(b, count)) return;
  std::memcpy(b->bytes + b->count, bytes, count);
  b->count += count;
}

extern "C" void document_write_string(document_buffer *b, const char *bytes, size_t count) {
  static const char hex[] = "0123456789abcdef";
  if (!document_buffer_reserve(b, count + 2)) return;
  b->bytes[b->count++] = '"';
  size_t start = 0;
  for (size_t i = 0; i < count; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    document_buffer_append(b, bytes + start, i - start);
    start = i + 1;
    char escaped[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    size_t length = 6;
    switch (c) {
      case '"': escaped[1] = '"'; length = 2; break;
      case '\\': escaped[1] = '\\'; length = 2; break;
      case '\n': escaped[1] = 'n'; length = 2; break;
      case '\r': escaped[1] = 'r'; length = 2; break;
      case '\t': escaped[1] = 't'; length = 2; break;
      case '\b': escaped[1] = 'b'; length = 2; break;
      case '\f': escaped[1] = 'f'; length = 2; break;
      default: break;
    }
    document_buffer_append(b, escaped, length);
  }
  document_buffer_append(b, bytes + start, count - start);
  document_buffer_append(b, "\"", 1);
}

extern "C" void document_write_integer(document_buffer *b, int64_t value) {
  char text[24];
  auto end = std::to_chars(text, text + sizeof text, value);
  document_buffer_append(b, text, (size_t)(end.ptr - text));
}

extern "C" void document_write_double(document_buffer *b, double value) {
  if (!std::isfinite(value)) {
    document_buffer_append(b, "null", 4);
    return;
  }
  char text[40];
  document_buffer_append(b, text, document_format_double(value, text));
}

extern "C" void document_write_node(document_buffer *b, const document *d, uint32_t index) {
  const document_node *node = document_nodes(d) + index;
  switch (node->kind) {
    case DOCUMENT_FALSE: document_buffer_append(b, "false", 5); return;
    case DOCUMENT_TRUE: document_buffer_append(b, "true", 4); return;
    case DOCUMENT_INTEGER: document_write_integer(b, node->integer); return;
    case DOCUMENT_UNSIGNED: {
      char text[24];
      auto end = std::to_chars(text, text + sizeof text, (uint64_t)node->integer);
      document_buffer_append(b, text, (size_t)(end.ptr - text));
      return;
    }
    case DOCUMENT_DOUBLE: document_write_double(b, node->number); return;
    case DOCUMENT_STRING: document_write_string(b, document_string(d, node), node->count); return;
    case DOCUMENT_ARRAY: {
      document_buffer_append(b, "[", 1);
      uint32_t child = index + 1;
      for (uint32_t i = 0; i < node->count; i++) {
        if (i) document_buffer_append(b, ",", 1);
        document_write_node(b, d, child);
        child = document_after(d, child);
      }
      document_buffer_append(b, "]", 1);
      return;
    }
    case DOCUMENT_OBJECT: {
      document_buffer_append(b, "{", 1);
      uint32_t key = index + 1;
      for (uint32_t i = 0; i < node->count; i++) {
        if (i) document_buffer_append(b, ",", 1);
        const document_node *name = document_nodes(d) + key;
        document_write_string(b, document_string(d, name), name->count);
        document_buffer_append(b, ":", 1);
        document_write_node(b, d, key + 1);
        key = document_after(d, key + 1);
      }
      document_buffer_append(b, "}", 1);
      return;
    }
    default: document_buffer_append(b, "null", 4); return;
  }
}

extern "C" bool document_valid_utf8(const char *bytes, size_t count) { return simdjson::validate_utf8(bytes, count); }
