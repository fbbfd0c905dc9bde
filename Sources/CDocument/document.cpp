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
  explicit document_parser(size_t bytes, uint32_t depth) : parser(bytes), max_bytes(bytes), max_depth(depth) {}
  ~document_parser() { std::free(padded); }
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

struct Size {
  size_t nodes = 0;
  size_t text = 0;
};

// Arrays and objects get a name before they are walked: in C++17 a temporary in the head of a range-for
// is gone before its first turn.

void measure(const dom::element &element, Size &size) {
  size.nodes++;
  switch (element.type()) {
    case dom::element_type::STRING:
      size.text += element.get_string_length().value_unsafe() + 1;
      break;
    case dom::element_type::ARRAY: {
      dom::array elements = element.get_array().value_unsafe();
      for (dom::element child : elements) measure(child, size);
      break;
    }
    case dom::element_type::OBJECT: {
      dom::object members = element.get_object().value_unsafe();
      for (dom::key_value_pair pair : members) {
        size.nodes++;
        size.text += pair.key.size() + 1;
        measure(pair.value, size);
      }
      break;
    }
    default:
      break;
  }
}

struct Writer {
  document_node *nodes;
  char *text;
  uint32_t next = 0;
  uint64_t offset = 0;

  void string(const char *bytes, size_t count) {
    document_node &node = nodes[next++];
    node.kind = DOCUMENT_STRING;
    node.count = (uint32_t)count;
    node.offset = offset;
    std::memcpy(text + offset, bytes, count);
    text[offset + count] = 0;
    offset += count + 1;
  }

  void value(const dom::element &element) {
    switch (element.type()) {
      case dom::element_type::STRING:
        string(element.get_c_str().value_unsafe(), element.get_string_length().value_unsafe());
        return;
      case dom::element_type::ARRAY: {
        document_node &node = nodes[next++];
        node.kind = DOCUMENT_ARRAY;
        uint32_t count = 0;
        dom::array elements = element.get_array().value_unsafe();
        for (dom::element child : elements) {
          value(child);
          count++;
        }
        node.count = count;
        node.next = next;
        return;
      }
      case dom::element_type::OBJECT: {
        document_node &node = nodes[next++];
        node.kind = DOCUMENT_OBJECT;
        uint32_t count = 0;
        dom::object members = element.get_object().value_unsafe();
        for (dom::key_value_pair pair : members) {
          string(pair.key.data(), pair.key.size());
          value(pair.value);
          count++;
        }
        node.count = count;
        node.next = next;
        return;
      }
      case dom::element_type::INT64: {
        document_node &node = nodes[next++];
        node.kind = DOCUMENT_INTEGER;
        node.count = 0;
        node.integer = element.get_int64().value_unsafe();
        return;
      }
      case dom::element_type::UINT64: {
        document_node &node = nodes[next++];
        node.kind = DOCUMENT_UNSIGNED;
        node.count = 0;
        node.integer = (int64_t)element.get_uint64().value_unsafe();
        return;
      }
      case dom::element_type::DOUBLE: {
        document_node &node = nodes[next++];
        node.kind = DOCUMENT_DOUBLE;
        node.count = 0;
        node.number = element.get_double().value_unsafe();
        return;
      }
      case dom::element_type::BOOL: {
        document_node &node = nodes[next++];
        node.kind = element.get_bool().value_unsafe() ? DOCUMENT_TRUE : DOCUMENT_FALSE;
        node.count = 0;
        node.integer = 0;
        return;
      }
      default: {
        document_node &node = nodes[next++];
        node.kind = DOCUMENT_NULL;
        node.count = 0;
        node.integer = 0;
        return;
      }
    }
  }
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
  Size size;
  measure(root, size);
  if (size.nodes > UINT32_MAX / 2 || size.text > UINT32_MAX / 2) {
    *status = DOCUMENT_TOO_LARGE;
    return nullptr;
  }
  document *d = (document *)std::malloc(sizeof(document) + size.nodes * sizeof(document_node) + size.text);
  if (!d) {
    *status = DOCUMENT_NO_MEMORY;
    return nullptr;
  }
  d->node_count = (uint32_t)size.nodes;
  d->text_size = (uint32_t)size.text;
  d->generation = 0;
  Writer writer{(document_node *)(d + 1), (char *)((document_node *)(d + 1) + size.nodes)};
  writer.value(root);
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
