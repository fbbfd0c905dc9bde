-- A corrected name: every certificate of the person is drawn again with it, under the same id and in a new version,
-- and later ones carry it from the start.
-- Reads, of the person: "Name Corrected" { name }, and "Certificate Issued" { certificate_id } of issue.lua, to know
-- which certificates there are.
local shelf = use("lib/shelf")

local most = 90 -- certificates that are drawn again, the newest ones: a rule has at most 100 effects at once

return rule {
  title = "Draw certificates again when a name is corrected",
  on    = { "Certificate Issued", "Name Corrected" },
  class = "transactional",
  owner = "learning",
  run = function(event, customer)
    if event.name == "Certificate Issued" then
      check(event.data.certificate_id, "it does not say which certificate was issued")
      state.certificates = shelf.put(state.certificates, event.data.certificate_id, "", 7000)
      return
    end
    local name = event.data.name
    name = type(name) == "string" and name:match("^%s*(.-)%s*$") or ""
    check(name ~= "" and utf8.len(name) and #name <= 200, "it is no name: a text of up to 200 bytes")
    set { name = name }
    local all = shelf.all(state.certificates)
    for place = math.max(#all - most + 1, 1), #all do
      emit("Certificate Name Corrected", { name = name }, { subject = "certificate:" .. all[place].name })
    end
    if #all > most then log(("%s has %d certificates; %d are drawn again"):format(customer.id, #all, most)) end
  end,
}
