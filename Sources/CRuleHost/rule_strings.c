/*
 * Patterns for rules: find, match, gmatch and gsub with the meaning of Lua's manual (section 6.4.1), by
 * a matcher that counts its own steps against the budget, because no instruction hook fires inside C.
 *
 * Thread: the host's. Promise: the time of a match is bounded by the run's budget, whatever the pattern.
 */
#define _GNU_SOURCE
#include "host_private.h"

#include <ctype.h>
#include <string.h>

enum { CAPTURES = 32, NESTING = 200, FUEL = 512, RESULT_BYTES = 1 << 20 };
enum { OPEN = -1, POSITION = -2 };

typedef struct capture {
  const char *start;
  ptrdiff_t count; /* or OPEN, or POSITION */
} capture;

typedef struct matcher {
  lua_State *L;
  const char *start, *end;  /* of the subject */
  const char *pattern_end;
  int captures;
  int nesting;
  uint32_t fuel;
  capture capture[CAPTURES];
} matcher;

static const char *match_here(matcher *m, const char *s, const char *p);

static inline void step(matcher *m) {
  if (--m->fuel) return;
  m->fuel = FUEL;
  budget_charge(m->L, FUEL);
}

/* Single characters and sets. */

/* The end of the item that starts at p: a character, an escape or a set. */
static const char *item_end(matcher *m, const char *p) {
  char c = *p++;
  if (c == '%') {
    if (p == m->pattern_end) luaL_error(m->L, "the pattern ends with a lone %%; write %%%% for a percent sign");
    return p + 1;
  }
  if (c != '[') return p;
  if (p < m->pattern_end && *p == '^') p++;
  do { /* a ] right after the opening is an ordinary character */
    if (p == m->pattern_end) luaL_error(m->L, "the pattern has a [ without its ]");
    step(m);
    c = *p++;
    if (c == '%') {
      if (p == m->pattern_end) luaL_error(m->L, "the pattern has a [ without its ]");
      p++;
    }
  } while (p == m->pattern_end || *p != ']');
  return p + 1;
}

static bool in_class(int c, int class) {
  bool in;
  switch (tolower(class)) {
    case 'a': in = isalpha(c); break;
    case 'c': in = iscntrl(c); break;
    case 'd': in = isdigit(c); break;
    case 'g': in = isgraph(c); break;
    case 'l': in = islower(c); break;
    case 'p': in = ispunct(c); break;
    case 's': in = isspace(c); break;
    case 'u': in = isupper(c); break;
    case 'w': in = isalnum(c); break;
    case 'x': in = isxdigit(c); break;
    default: return class == c; /* an escaped character stands for itself */
  }
  return isupper(class) ? !in : in;
}

/* p at the [, last at its ]. */
static bool in_set(matcher *m, int c, const char *p, const char *last) {
  bool wanted = true;
  p++;
  if (*p == '^') {
    wanted = false;
    p++;
  }
  while (p < last) {
    step(m);
    if (*p == '%') {
      if (in_class(c, (unsigned char)p[1])) return wanted;
      p += 2;
    } else if (p + 2 < last && p[1] == '-') {
      if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2]) return wanted;
      p += 3;
    } else {
      if ((unsigned char)*p == c) return wanted;
      p++;
    }
  }
  return !wanted;
}

static bool item_matches(matcher *m, const char *s, const char *p, const char *p_end) {
  if (s >= m->end) return false;
  step(m);
  int c = (unsigned char)*s;
  switch (*p) {
    case '.': return true;
    case '%': return in_class(c, (unsigned char)p[1]);
    case '[': return in_set(m, c, p, p_end - 1);
    default: return (unsigned char)*p == c;
  }
}

/* Items that are more than one character. */

static const char *match_balanced(matcher *m, const char *s, const char *p) {
  if (m->pattern_end - p < 2) luaL_error(m->L, "%%b in a pattern needs two characters, such as %%b()");
  if (s >= m->end || *s != p[0]) return NULL;
  char open = p[0], close = p[1];
  for (long depth = 1; ++s < m->end;) {
    step(m);
    if (*s == close) {
      if (--depth == 0) return s + 1;
    } else if (*s == open) {
      depth++;
    }
  }
  return NULL;
}

static const char *match_frontier(matcher *m, const char *s, const char *p) {
  if (p >= m->pattern_end || *p != '[') luaL_error(m->L, "%%f in a pattern needs a set, such as %%f[%%w]");
  const char *p_end = item_end(m, p);
  int before = s == m->start ? 0 : (unsigned char)s[-1];
  int here = s < m->end ? (unsigned char)*s : 0;
  if (in_set(m, before, p, p_end - 1) || !in_set(m, here, p, p_end - 1)) return NULL;
  return match_here(m, s, p_end);
}

static const char *match_back_reference(matcher *m, const char *s, const char *p) {
  int index = *p - '1';
  if (index < 0 || index >= m->captures || m->capture[index].count < 0)
    luaL_error(m->L, "the pattern refers to capture %%%c, which is not there", *p);
  size_t count = (size_t)m->capture[index].count;
  budget_charge(m->L, count >> 4);
  if ((size_t)(m->end - s) < count || memcmp(m->capture[index].start, s, count) != 0) return NULL;
  return match_here(m, s + count, p + 1);
}

static const char *match_open(matcher *m, const char *s, const char *p, ptrdiff_t what) {
  if (m->captures == CAPTURES) luaL_error(m->L, "the pattern has more than %d captures", CAPTURES);
  m->capture[m->captures] = (capture){s, what};
  m->captures++;
  const char *end = match_here(m, s, p);
  if (!end) m->captures--;
  return end;
}

static const char *match_close(matcher *m, const char *s, const char *p) {
  int index = m->captures - 1;
  while (index >= 0 && m->capture[index].count != OPEN) index--;
  if (index < 0) luaL_error(m->L, "the pattern has a ) without its (");
  m->capture[index].count = s - m->capture[index].start;
  const char *end = match_here(m, s, p);
  if (!end) m->capture[index].count = OPEN;
  return end;
}

/* As many as possible first, or as few. */

static const char *match_most(matcher *m, const char *s, const char *p, const char *p_end, ptrdiff_t least) {
  ptrdiff_t count = 0;
  while (item_matches(m, s + count, p, p_end)) count++;
  for (; count >= least; count--) {
    const char *end = match_here(m, s + count, p_end + 1);
    if (end) return end;
  }
  return NULL;
}

static const char *match_fewest(matcher *m, const char *s, const char *p, const char *p_end) {
  for (;; s++) {
    const char *end = match_here(m, s, p_end + 1);
    if (end) return end;
    if (!item_matches(m, s, p, p_end)) return NULL;
  }
}

/* The escapes %b %f %1…%9; false when p is none of them. */
static bool match_escape(matcher *m, const char *s, const char *p, const char **end) {
  if (*p != '%' || p + 1 == m->pattern_end) return false;
  if (p[1] == 'b') {
    const char *after = match_balanced(m, s, p + 2);
    *end = after ? match_here(m, after, p + 4) : NULL;
  } else if (p[1] == 'f') {
    *end = match_frontier(m, s, p + 2);
  } else if (isdigit((unsigned char)p[1])) {
    *end = match_back_reference(m, s, p + 1);
  } else {
    return false;
  }
  return true;
}

static const char *match_sequence(matcher *m, const char *s, const char *p) {
  const char *end;
  while (p < m->pattern_end) {
    step(m);
    if (*p == '(') {
      bool position = p + 1 < m->pattern_end && p[1] == ')';
      return position ? match_open(m, s, p + 2, POSITION) : match_open(m, s, p + 1, OPEN);
    }
    if (*p == ')') return match_close(m, s, p + 1);
    if (*p == '$' && p + 1 == m->pattern_end) return s == m->end ? s : NULL;
    if (match_escape(m, s, p, &end)) return end;
    const char *p_end = item_end(m, p);
    char suffix = p_end < m->pattern_end ? *p_end : 0;
    if (suffix == '*') return match_most(m, s, p, p_end, 0);
    if (suffix == '+') return match_most(m, s, p, p_end, 1);
    if (suffix == '-') return match_fewest(m, s, p, p_end);
    bool fits = item_matches(m, s, p, p_end);
    if (suffix == '?') {
      if (fits && (end = match_here(m, s + 1, p_end + 1))) return end;
      p = p_end + 1;
      continue;
    }
    if (!fits) return NULL;
    s++;
    p = p_end;
  }
  return s;
}

/* Matches the pattern from p at s; the end of the match, or NULL. */
static const char *match_here(matcher *m, const char *s, const char *p) {
  if (++m->nesting > NESTING) luaL_error(m->L, "the pattern is too complex");
  const char *end = match_sequence(m, s, p);
  m->nesting--;
  return end;
}

/* Captures as values. */

static void push_capture(matcher *m, int index, const char *s, const char *end) {
  if (index >= m->captures) {
    if (index != 0) luaL_error(m->L, "there is no capture %%%d", index + 1);
    lua_pushlstring(m->L, s, (size_t)(end - s)); /* without captures the whole match counts as the first */
    return;
  }
  const capture *c = &m->capture[index];
  if (c->count == OPEN) luaL_error(m->L, "the pattern has a ( without its )");
  if (c->count == POSITION) lua_pushinteger(m->L, c->start - m->start + 1);
  else lua_pushlstring(m->L, c->start, (size_t)c->count);
}

static int push_captures(matcher *m, const char *s, const char *end, bool whole) {
  int count = m->captures == 0 && whole ? 1 : m->captures;
  luaL_checkstack(m->L, count, "too many captures");
  for (int i = 0; i < count; i++) push_capture(m, i, s, end);
  return count;
}

static void prepare(matcher *m, lua_State *L, const char *s, size_t s_count, const char *p, size_t p_count) {
  m->L = L;
  m->start = s;
  m->end = s + s_count;
  m->pattern_end = p + p_count;
  m->fuel = FUEL;
}

static const char *attempt(matcher *m, const char *s, const char *p) {
  m->captures = 0;
  m->nesting = 0;
  return match_here(m, s, p);
}

/* What was started but not used up still counts, or a million short matches would be free. */
static void settle(matcher *m) { budget_charge(m->L, (FUEL - m->fuel) >> 2); }

/* find and match */

static size_t first_position(lua_State *L, int index, size_t count) {
  lua_Integer position = luaL_optinteger(L, index, 1);
  if (position > 0) return (size_t)position - 1;
  if (position == 0) return 0;
  return (size_t)-position > count ? 0 : count - (size_t)-position;
}

static bool is_plain(const char *p, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strchr("^$*+?.([%-", p[i]) && p[i]) return false;
  return true;
}

static int find_plain(lua_State *L, const char *s, size_t s_count, const char *p, size_t p_count, size_t from) {
  budget_charge(L, (s_count - from + p_count) >> 4);
  const char *found = p_count ? memmem(s + from, s_count - from, p, p_count) : s + from;
  if (!found) return lua_pushnil(L), 1;
  lua_pushinteger(L, found - s + 1);
  lua_pushinteger(L, found - s + (lua_Integer)p_count);
  return 2;
}

static int find_or_match(lua_State *L, bool find) {
  size_t s_count, p_count;
  const char *s = luaL_checklstring(L, 1, &s_count), *p = luaL_checklstring(L, 2, &p_count);
  size_t from = first_position(L, 3, s_count);
  if (from > s_count) return lua_pushnil(L), 1;
  if (find && (lua_toboolean(L, 4) || is_plain(p, p_count))) return find_plain(L, s, s_count, p, p_count, from);
  bool anchored = p_count && *p == '^';
  matcher m;
  prepare(&m, L, s, s_count, p, p_count);
  for (const char *at = s + from; at <= m.end; at++) {
    const char *end = attempt(&m, at, p + anchored);
    if (end) {
      settle(&m);
      if (!find) return push_captures(&m, at, end, true);
      lua_pushinteger(L, at - s + 1);
      lua_pushinteger(L, end - s);
      return 2 + push_captures(&m, at, end, false);
    }
    if (anchored) break;
  }
  settle(&m);
  return lua_pushnil(L), 1;
}

static int strings_find(lua_State *L) { return find_or_match(L, true); }
static int strings_match(lua_State *L) { return find_or_match(L, false); }

/* gmatch. Upvalues: subject, pattern, next position, end of the last match (-1: none). */

static int next_match(lua_State *L) {
  size_t s_count, p_count;
  const char *s = lua_tolstring(L, lua_upvalueindex(1), &s_count), *p = lua_tolstring(L, lua_upvalueindex(2), &p_count);
  const char *last = s + lua_tointeger(L, lua_upvalueindex(4));
  matcher m;
  prepare(&m, L, s, s_count, p, p_count);
  for (const char *at = s + lua_tointeger(L, lua_upvalueindex(3)); at <= m.end; at++) {
    const char *end = attempt(&m, at, p);
    if (!end || end == last) continue;
    lua_pushinteger(L, end - s);
    lua_copy(L, -1, lua_upvalueindex(3));
    lua_replace(L, lua_upvalueindex(4));
    settle(&m);
    return push_captures(&m, at, end, true);
  }
  settle(&m);
  return 0;
}

static int strings_gmatch(lua_State *L) {
  luaL_checkstring(L, 1);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_pushinteger(L, 0);
  lua_pushinteger(L, -1);
  lua_pushcclosure(L, next_match, 4);
  return 1;
}

/* gsub */

static void append(lua_State *L, const char *bytes, size_t count) {
  document_buffer *text = &host_of(L)->text;
  if (text->count + count > RESULT_BYTES) luaL_error(L, "gsub: the result is longer than %d bytes", RESULT_BYTES);
  document_buffer_append(text, bytes, count);
  if (text->failed) luaL_error(L, "no memory for the result of gsub");
}

/* Appends the replacement text with %0 to %9 filled in. */
static void append_template(matcher *m, const char *s, const char *end) {
  lua_State *L = m->L;
  size_t count;
  const char *text = lua_tolstring(L, 3, &count);
  budget_charge(L, count >> 4);
  for (const char *last = text + count; text < last; text++) {
    if (*text != '%') {
      append(L, text, 1);
      continue;
    }
    if (++text == last) luaL_error(L, "gsub: the replacement ends with a lone %%; write %%%% for a percent sign");
    if (*text == '%') {
      append(L, "%", 1);
    } else if (isdigit((unsigned char)*text)) {
      if (*text == '0') lua_pushlstring(L, s, (size_t)(end - s));
      else push_capture(m, *text - '1', s, end);
      size_t length;
      const char *bytes = luaL_tolstring(L, -1, &length);
      append(L, bytes, length);
      lua_pop(L, 2);
    } else {
      luaL_error(L, "gsub: %%%c in the replacement means nothing; write %%%% for a percent sign", *text);
    }
  }
}

/* Appends what takes the place of a match; false when it stays as it is. */
static void append_replacement(matcher *m, const char *s, const char *end) {
  lua_State *L = m->L;
  switch (lua_type(L, 3)) {
    case LUA_TFUNCTION:
      lua_pushvalue(L, 3);
      lua_call(L, push_captures(m, s, end, true), 1);
      break;
    case LUA_TSTRING:
    case LUA_TNUMBER: append_template(m, s, end); return;
    default:
      push_capture(m, 0, s, end);
      lua_gettable(L, 3);
  }
  if (!lua_toboolean(L, -1)) {
    append(L, s, (size_t)(end - s));
  } else if (lua_isstring(L, -1)) {
    size_t count;
    const char *bytes = lua_tolstring(L, -1, &count);
    append(L, bytes, count);
  } else {
    luaL_error(L, "gsub: the replacement is a %s; it must be a text", values_type_name(L, -1));
  }
  lua_pop(L, 1);
}

static int strings_gsub(lua_State *L) {
  size_t s_count, p_count;
  const char *s = luaL_checklstring(L, 1, &s_count), *p = luaL_checklstring(L, 2, &p_count);
  int type = lua_type(L, 3);
  if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TTABLE && type != LUA_TFUNCTION && !values_is_handle(L, 3))
    return luaL_error(L, "gsub needs a text, a table or a function as replacement; this is a %s", values_type_name(L, 3));
  lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)s_count + 1), made = 0;
  bool anchored = p_count && *p == '^';
  document_buffer *text = &host_of(L)->text;
  size_t base = text->count;
  const char *at = s, *last = NULL;
  matcher m;
  prepare(&m, L, s, s_count, p, p_count);
  while (made < most) {
    const char *end = attempt(&m, at, p + anchored);
    if (end && end != last) {
      made++;
      append_replacement(&m, at, end);
      at = last = end;
    } else if (at < m.end) {
      append(L, at++, 1);
    } else {
      break;
    }
    if (anchored) break;
  }
  append(L, at, (size_t)(m.end - at));
  settle(&m);
  lua_pushlstring(L, text->bytes + base, text->count - base);
  text->count = base;
  lua_pushinteger(L, made);
  return 2;
}

const luaL_Reg strings_functions[] = {
    {"find", strings_find},   {"match", strings_match}, {"gmatch", strings_gmatch},
    {"gsub", strings_gsub},   {NULL, NULL},
};
