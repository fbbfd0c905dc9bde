/* Door to liblua5.4. Only CRuleHost may open it. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
