-- The configuration of the demo: everything goes to `nudged receive` on this machine.
-- `./etc/dev run` starts both and tells the story of etc/demo.ndjson. Relative paths begin at this file's folder.
local receiver = "http://127.0.0.1:9484/webhooks"

local function demo(path)
  return { url = receiver .. path, secret = file "../.build/demo/webhook.secret", allow = { "127.0.0.0/8" } }
end

return {
  listen = "127.0.0.1:8484",
  admin  = "../.build/demo/admin.sock",
  store  = "sqlite:../.build/demo/nudged.db",
  rules  = "../rules",
  public_url = "http://127.0.0.1:8484",

  -- The story takes 17 days. Its clock begins so far in the past and runs 12,000 times as fast, until it has caught up;
  -- every answer and every line of the log says so. Without this line the clock is a real one.
  clock = { behind = "17 days", rate = 12000 },

  policies = {
    -- One offer to a customer in 30 days, over all rules of rules/upsell, also when two of them meet the same event.
    caps = { { topic = "offers", most = 1, per = "30 days" } },
  },

  destinations = {
    crm      = demo "/crm",
    billing  = demo "/billing",
    learning = demo "/learning",
  },
}
