-- The yardstick's front: takes events over HTTP, hands them to Redis, answers when Redis has synced them,
-- and sends the webhooks that the rule left there.
-- Thread: nginx's one worker, in light threads. Promise: an answer of 200 comes after Redis' answer; a
-- webhook leaves the outbox only after the receiver took it, and is tried again until then.

local ffi = require "ffi"
local json = require "cjson.safe"
local semaphore = require "ngx.semaphore"

ffi.cdef [[
  const void *EVP_sha256(void);
  unsigned char *HMAC(const void *digest, const void *key, int key_bytes, const unsigned char *text, size_t bytes,
                      unsigned char *out, unsigned int *out_bytes);
]]
local crypto = ffi.load "crypto.so.3"
local digest, sum, sum_bytes = crypto.EVP_sha256(), ffi.new "unsigned char[32]", ffi.new "unsigned int[1]"
local hex = {}
for byte = 0, 255 do hex[byte] = ("%02x"):format(byte) end

local SENDERS, CLAIM = 64, 512
local front = {}
local redis_path, host, port, path, secret

-- Redis' protocol: arrays of counted texts out, one value back.
local function command(words)
  local out = { "*", #words, "\r\n" }
  for _, word in ipairs(words) do
    word = tostring(word)
    out[#out + 1] = "$" .. #word .. "\r\n"
    out[#out + 1] = word
    out[#out + 1] = "\r\n"
  end
  return out
end

local function answer(socket)
  local line, trouble = socket:receive()
  if not line then return nil, trouble end
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == "+" then return rest end
  if kind == ":" then return tonumber(rest) end
  if kind == "-" then return nil, rest end
  local count = tonumber(rest)
  if count < 0 then return false end
  if kind == "$" then
    local text, broken = socket:receive(count + 2)
    return text and text:sub(1, -3), broken
  end
  local list = {}
  for place = 1, count do
    local value, broken = answer(socket)
    if value == nil then return nil, broken end
    list[place] = value
  end
  return list
end

local function redis()
  local socket = ngx.socket.tcp()
  socket:settimeouts(2000, 10000, 30000)
  local ok, trouble = socket:connect(redis_path, { pool_size = 512 })
  if not ok then return nil, trouble end
  return socket
end

local function ask(socket, words)
  local ok, trouble = socket:send(command(words))
  if not ok then return nil, trouble end
  return answer(socket)
end

function front.take()
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  if not body then return ngx.exit(400) end
  local words = { "FCALL", "take", "0" }
  if body:byte() == 0x5B then
    local list = json.decode(body)
    if not list then return ngx.exit(400) end
    for place = 1, #list do words[place + 3] = json.encode(list[place]) end
  else
    words[4] = body
  end
  local socket = redis()
  if not socket then return ngx.exit(503) end
  local taken, trouble = ask(socket, words)
  if not taken then
    socket:close()
    ngx.log(ngx.ERR, trouble)
    return ngx.exit(500)
  end
  socket:setkeepalive(60000, 512)
  local text = '{"accepted":' .. taken .. "}\n"
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Content-Length"] = #text
  ngx.print(text)
end

-- One webhook, tried until it is taken.
local function deliver(body)
  crypto.HMAC(digest, secret, #secret, body, #body, sum, sum_bytes)
  local sign = {}
  for place = 0, 31 do sign[place + 1] = hex[sum[place]] end
  local request = {
    "POST ", path, " HTTP/1.1\r\nHost: ", host, ":", port, "\r\nContent-Type: application/json\r\nX-Signature: sha256=",
    table.concat(sign), "\r\nContent-Length: ", #body, "\r\n\r\n", body,
  }
  local pause = 0.1
  while not ngx.worker.exiting() do
    local socket = ngx.socket.tcp()
    socket:settimeouts(2000, 5000, 15000)
    if socket:connect(host, port, { pool_size = SENDERS * 2 }) and socket:send(request) then
      local status, bytes = socket:receive(), 0
      while status do
        local line = socket:receive()
        if not line or line == "" then break end
        bytes = tonumber(line:match("^[Cc]ontent%-[Ll]ength: *(%d+)")) or bytes
      end
      if status and (bytes == 0 or socket:receive(bytes)) then
        socket:setkeepalive(60000, SENDERS * 2)
        if status:find "^HTTP/1.1 2" then return true end
      end
    end
    socket:close()
    ngx.sleep(pause)
    pause = math.min(pause * 2, 10)
  end
end

-- What was claimed and waits for a sender, and what arrived and waits to leave the outbox.
local claimed, first, last, arrived = {}, 1, 0, {}
local work, settled, room = semaphore.new(), semaphore.new(), semaphore.new()

local function sender()
  while not ngx.worker.exiting() do
    if work:wait(5) then
      local entry = claimed[first]
      claimed[first] = nil
      first = first + 1
      if deliver(entry[2][2]) then
        arrived[#arrived + 1] = entry[1]
        settled:post()
      end
      if first % 64 == 0 then room:post() end
    end
  end
end

-- Takes what has arrived out of the outbox: as much at once as came together while the last was synced.
local function settler()
  local socket
  while not ngx.worker.exiting() do
    if settled:wait(5) and #arrived > 0 then
      local list = arrived
      arrived = {}
      socket = socket or redis()
      ask(socket, { "XACK", "webhook", "senders", unpack(list) })
      ask(socket, { "XDEL", "webhook", unpack(list) })
    end
  end
end

local function claimer()
  local socket = redis()
  if not socket then return ngx.timer.at(0.2, claimer) end
  ask(socket, { "XGROUP", "CREATE", "webhook", "senders", "0", "MKSTREAM" })
  -- First what was claimed and not settled before a stop, then what is new.
  local from = "0"
  while not ngx.worker.exiting() do
    while last - first > CLAIM do room:wait(1) end
    local found = ask(socket, { "XREADGROUP", "GROUP", "senders", "one", "COUNT", CLAIM, "BLOCK", 1000, "STREAMS",
      "webhook", from })
    if found == nil then break end
    local list = found and found[1] and found[1][2] or {}
    if from ~= ">" then from = #list > 0 and list[#list][1] or ">" end
    for _, entry in ipairs(list) do
      last = last + 1
      claimed[last] = entry
    end
    if #list > 0 then work:post(#list) end
  end
  socket:close()
  if not ngx.worker.exiting() then ngx.timer.at(0.2, claimer) end
end

local function send_on(premature)
  if premature then return end
  for _ = 1, SENDERS do ngx.thread.spawn(sender) end
  ngx.thread.spawn(settler)
  claimer()
end

function front.start()
  redis_path = "unix:" .. os.getenv "YARDSTICK_DATA" .. "/redis.sock"
  secret = os.getenv "HOOK_SECRET"
  host, port, path = os.getenv("SINK_URL"):match "^http://([^:/]+):(%d+)(/.*)$"
  ngx.timer.at(0, send_on)
end

return front
