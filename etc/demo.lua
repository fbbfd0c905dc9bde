-- The configuration of the demo: everything goes to `nudged receive` on this machine.
-- `./etc/dev run` starts both. Relative paths begin at this file's folder.
local receiver = "http://127.0.0.1:9484/webhooks"

local function demo(path)
  return { url = receiver .. path, secret = file "../.build/demo/webhook.secret", allow = { "127.0.0.0/8" } }
end

return {
  listen = "127.0.0.1:8484",
  admin  = "../.build/demo/admin.sock",
  store  = "sqlite:../.build/demo/nudged.db",
  rules  = "../rules",

  destinations = {
    crm      = demo "/crm",
    billing  = demo "/billing",
    learning = demo "/learning",
  },
}
