-- The configuration of the bench: one receiver, which checks an HMAC of the body.
return {
  destinations = {
    sink = {
      url = "@URL@", signing = "body", header = "X-Signature", prefix = "sha256=", secret = file "@DATA@/hook.secret",
      shape = "bare", allow = { "127.0.0.0/8" },
    },
  },
}
