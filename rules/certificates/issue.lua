-- The register: the one rule that has certificates drawn and withdrawn. It is about the certificate itself (per =
-- "certificate"), and its state is what is known of this one: so nothing is ever drawn twice, versions count up, and
-- a certificate that was withdrawn comes back only for the reason for which it went.
-- Reads, all of the thing "certificate:ID": "Certificate Earned" { person, name, kind, achievement, title, earned_at,
-- valid_days, … }, "Certificate Name Corrected" { name }, "Certificate Suspended", "Certificate Revoked" and
-- "Certificate Reinstated" { cause, reason }.
-- Sends "certificate.issue" and "certificate.revoke", and says "Certificate Issued" or "Certificate Withdrawn" to the
-- person.
local times = use("lib/times")

local renew_days = 90 -- so long before its end a certificate can be renewed by earning it again
local details    = { -- of what was earned; they go to whoever draws
  "person", "name", "kind", "achievement", "title", "earned_at", "valid_days", "score", "minutes", "credit", "credits",
}

-- What comes of a broken event is left out: a certificate without a title can be drawn, one that fails cannot.
local function plain(value)
  local is_plain = type(value) == "number" or type(value) == "string" and #value <= 500
  return is_plain and value or nil
end

return rule {
  title = "Have certificates drawn, renewed, corrected and withdrawn",
  on    = {
    "Certificate Earned", "Certificate Name Corrected", "Certificate Suspended", "Certificate Revoked",
    "Certificate Reinstated",
  },
  per   = "certificate",
  class = "transactional",
  owner = "learning",
  run = function(event, customer)
    local id, data = customer.id, event.data

    local function issue(reason)
      state.status, state.cause, state.version = "issued", nil, (state.version or 0) + 1
      local expires_at = times.text(state.expires_at)
      send("learning", "certificate.issue", {
        certificate_id = id, version = state.version, reason = reason, customer = state.person, name = state.name,
        kind = state.kind, achievement = state.achievement, title = state.title, earned_at = state.earned_at,
        issued_at = times.text(now()), expires_at = expires_at, score = state.score, minutes = state.minutes,
        credit = state.credit, credits = state.credits,
      })
      emit("Certificate Issued", {
        certificate_id = id, kind = state.kind, achievement = state.achievement, title = state.title,
        version = state.version, expires_at = expires_at,
      }, { subject = "user:" .. state.person })
      return finish(reason)
    end

    if event.name == "Certificate Earned" then
      check(data.person and data.achievement and data.kind, "it does not say who has earned what")
      local left = state.expires_at and state.expires_at - now()
      if state.person then
        check(left, "this person has this certificate already")
        check(left < renew_days * times.day, "this person has this certificate, and it is too early to renew it")
      end
      for _, field in ipairs(details) do state[field] = plain(data[field]) end
      local begins = math.max(now(), left and now() + left or 0) -- a renewal takes no day away
      state.expires_at = data.valid_days and begins + math.tointeger(data.valid_days) * times.day or nil
      if state.cause then return finish("earned, and kept back: " .. state.cause) end
      return issue(left and "renewed" or "earned")
    elseif event.name == "Certificate Name Corrected" then
      check(state.person and state.name ~= data.name, "there is nothing to correct")
      state.name = data.name
      if state.status ~= "issued" then return finish("the name counts when it is reinstated") end
      return issue("name_corrected")
    elseif event.name == "Certificate Reinstated" then
      check(state.cause and state.cause == (data.cause or "by hand"), "it is not withdrawn for that cause")
      state.cause, state.status = nil, nil
      if not state.person then return finish("it can be earned now") end
      return issue("reinstated")
    end

    local status = event.name == "Certificate Revoked" and "revoked" or "suspended"
    check(state.status ~= status and state.status ~= "revoked", "it is withdrawn already")
    state.status, state.cause = status, data.cause or "by hand"
    if not state.version then return finish("nothing was issued, and nothing will be") end
    state.version = state.version + 1
    send("learning", "certificate.revoke", {
      certificate_id = id, version = state.version, customer = state.person, status = status, reason = data.reason,
    })
    emit("Certificate Withdrawn", { certificate_id = id, status = status, reason = data.reason }, {
      subject = "user:" .. state.person,
    })
    finish(status)
  end,
}
