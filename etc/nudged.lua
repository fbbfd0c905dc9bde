-- The configuration that the systemd unit uses: copy it to /etc/nudged/nudged.lua and edit it.
-- Relative paths begin at the file's folder. `nudged check --config FILE` says what is wrong with it.
return {
  listen = "127.0.0.1:8484",
  admin  = "/run/nudged/admin.sock",
  store  = "sqlite:/var/lib/nudged/nudged.db",
  rules  = "/etc/nudged/rules",

  -- Keys for senders that are not on this machine. Rights: ingest, read, admin.
  -- keys = {
  --   web = { secret = credential "web-key", rights = { "ingest" } },
  -- },
  -- open_locally = false,          -- then every request needs a key

  destinations = {
    -- crm = {
    --   url    = "https://crm.example.com/webhooks",
    --   secret = credential "crm",  -- a whsec_… secret; the unit loads it with LoadCredential=
    -- },
  },

  -- One offer to a customer in 30 days, over all rules of rules/upsell, also when two of them meet the same event.
  policies = { caps = { { topic = "offers", most = 1, per = "30 days" } } },

  retention = { events = "90 days", verdicts = "30 days", attempts = "30 days" },
}
