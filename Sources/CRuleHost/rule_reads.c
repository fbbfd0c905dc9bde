/*
 * What a run read of things that change, state and traits, in the order of reading: kept for "why?".
 *
 * Thread: the host's. Promise: at most RULE_READS, each short and valid UTF-8; a loop that reads one
 * value again and again does not push the others out.
 */
#include "host_private.h"

#include <string.h>

static uint32_t cut_utf8(const char *text, size_t count, size_t room) {
  if (count <= room) return (uint32_t)count;
  while (room > 0 && ((unsigned char)text[room] & 0xC0) == 0x80) room--;
  return (uint32_t)room;
}

static void set_read_value(lua_State *L, rule_read *read, int value) {
  rule_host *host = host_of(L);
  if (values_is_handle(L, value)) {
    read->value_count = 5;
    memcpy(read->value, luaL_len(L, value) > 0 ? "[...]" : "{...}", 5);
    return;
  }
  document_buffer *out = &host->json;
  size_t start = out->count;
  if (lua_isinteger(L, value)) document_write_integer(out, lua_tointeger(L, value));
  else json_write(L, value, out, false);
  size_t count = out->count - start;
  read->value_count = cut_utf8(out->bytes + start, count, RULE_READ_VALUE);
  memcpy(read->value, out->bytes + start, read->value_count);
  out->count = start;
}

void reads_note(lua_State *L, const char *prefix, const char *key, size_t count, int value) {
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

void reads_note_trait(rule_host *host, const char *key, size_t count) {
  rule_report *report = &host->report;
  if (!host->input->journal || report->all_traits) return;
  for (uint32_t i = 0; key && i < report->trait_count; i++)
    if (report->traits[i].count == count && memcmp(report->traits[i].name, key, count) == 0) return;
  if (!key || count > RULE_TRAIT_NAME || report->trait_count == RULE_TRAITS) {
    report->all_traits = true;
    return;
  }
  rule_trait *trait = &report->traits[report->trait_count++];
  trait->count = (uint32_t)count;
  memcpy(trait->name, key, count);
}
