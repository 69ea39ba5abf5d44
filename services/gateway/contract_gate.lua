-- The gate for JSON requests: what the contract does not know is refused by name, before the transcoder, which drops it.
-- Runs within Envoy (LuaJIT). T is written before this text by contract_gate.py: routes, types, enums, templates of answers.
-- A value's kind is a text: "" any scalar, "*" anything, "mName" a message, "eName" an enum; "[" before it a list, "{" a map.

local MOST_TOKENS, MOST_DEPTH, MOST_NAME = 100000, 32, 120
local find, sub, byte, gsub, match = string.find, string.sub, string.byte, string.gsub, string.match

local function refuse(answer, words) error({ answer = answer, words = words }, 0) end

local function broken(field, rule, description)
  refuse("field", { FIELD = field, RULE = rule, DESCRIPTION = description })
end

-- Only what can stand in JSON and in a log without harm.
local function plain(text)
  text = gsub(text, '[^%w%._%[%]:@/ ,%-]', "?")
  return #text > MOST_NAME and sub(text, 1, MOST_NAME) .. "..." or text
end

local function join(path, name) return path == "" and name or path .. "." .. name end

local function enum_value(path, kind, value)
  local names = T.enums[kind]
  if names and not find(names, "|" .. value .. "|", 1, true) then
    broken(path, "enum.defined_only", "must be one of " .. gsub(sub(names, 2, -2), "|", ", "))
  end
end

-- ---- JSON (RFC 8259) ----

local text, tokens

local function skip(at)
  local _, last = find(text, "^[ \t\r\n]*", at)
  return last + 1
end

local function no_json(path) broken(path, "json", "the body is not JSON (RFC 8259)") end

local function string_end(at, path)
  local from = at + 1
  while true do
    local found = find(text, '["\\%c]', from)
    if not found then no_json(path) end
    local what = byte(text, found)
    if what == 34 then return found end
    if what ~= 92 then no_json(path) end
    from = found + 2
  end
end

local function key_text(raw)
  if not find(raw, "\\", 1, true) then return raw end
  raw = gsub(raw, "\\u00(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  return (gsub(raw, "\\(.)", "%1"))
end

local value

local function items(at, kind, path, depth)
  at = skip(at + 1)
  if byte(text, at) == 93 then return at + 1 end
  local place = 0
  while true do
    at = skip(value(at, kind, path .. "[" .. place .. "]", depth))
    local what = byte(text, at)
    if what == 93 then return at + 1 end
    if what ~= 44 then no_json(path) end
    at, place = skip(at + 1), place + 1
  end
end

local function member_kind(fields, kind, name, path, seen)
  if not fields then
    return sub(kind, 1, 1) == "{" and sub(kind, 2) or "*"
  end
  local known = fields[name]
  if not known then broken(join(path, plain(name)), "json.unknown_field", "the contract knows no such field here") end
  -- A field has two names, its own and that of the JSON mapping: it stands once under either.
  local field, of = match(known, "^([^ ]*) (.*)$")
  if seen[field] then broken(join(path, plain(name)), "json.duplicate_field", "the field stands twice") end
  seen[field] = true
  return of
end

local function members(at, kind, path, depth)
  local fields, seen = sub(kind, 1, 1) == "m" and T.types[sub(kind, 2)] or nil, {}
  at = skip(at + 1)
  if byte(text, at) == 125 then return at + 1 end
  while true do
    if byte(text, at) ~= 34 then no_json(path) end
    local last = string_end(at, path)
    local name = key_text(sub(text, at + 1, last - 1))
    local of = member_kind(fields, kind, name, path, seen)
    at = skip(last + 1)
    if byte(text, at) ~= 58 then no_json(path) end
    at = skip(value(skip(at + 1), of, join(path, plain(name)), depth))
    local what = byte(text, at)
    if what == 125 then return at + 1 end
    if what ~= 44 then no_json(path) end
    at = skip(at + 1)
  end
end

local function scalar(at, path)
  local _, last = find(text, "^-?%d+", at)
  if last then
    local _, fraction = find(text, "^%.%d+", last + 1)
    last = fraction or last
    local _, exponent = find(text, "^[eE][+-]?%d+", last + 1)
    return (exponent or last) + 1
  end
  local word = match(text, "^%l+", at)
  if word == "true" or word == "false" or word == "null" then return at + #word end
  no_json(path)
end

function value(at, kind, path, depth)
  tokens = tokens + 1
  if tokens > MOST_TOKENS then broken(path, "json.size", "the body holds too many values") end
  if depth > MOST_DEPTH then broken(path, "json.depth", "the body is nested too deeply") end
  local what, first = byte(text, at), sub(kind, 1, 1)
  if what == 91 then
    return items(at, first == "[" and sub(kind, 2) or "*", path, depth + 1)
  elseif what == 123 then
    -- A list's element or a scalar that is an object: the transcoder says what is wrong with it.
    return members(at, first == "[" and "*" or kind, path, depth + 1)
  elseif what == 34 then
    local last = string_end(at, path)
    if first == "e" then enum_value(path, sub(kind, 2), sub(text, at + 1, last - 1)) end
    return last + 1
  end
  return scalar(at, path)
end

local function check_body(body, kind)
  text, tokens = body, 0
  local last = skip(value(skip(1), kind, "", 0))
  text = nil
  if last <= #body then no_json("") end
end

-- ---- query ----

local function decoded(raw)
  raw = gsub(raw, "+", " ")
  return (gsub(raw, "%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function check_parameter(name, given, input)
  local kind = "m" .. input
  for part in string.gmatch(name, "[^%.]+") do
    local fields = sub(kind, 1, 1) == "m" and T.types[sub(kind, 2)] or {}
    local known = fields[part]
    if not known then broken(plain(name), "query.unknown_parameter", "the contract knows no such parameter here") end
    kind = match(known, " (.*)$")
  end
  local list, enum = match(kind, "^(%[?)e(.*)$")
  if enum and not find(given, "^-?%d+$") and (given ~= "" or list ~= "") then enum_value(plain(name), enum, given) end
end

local function check_query(query, input)
  local count = 0
  for pair in string.gmatch(query, "[^&]+") do
    count = count + 1
    if count > 200 then broken("", "query.size", "the query holds too many parameters") end
    local name, given = match(pair, "^([^=]*)=?(.*)$")
    check_parameter(decoded(name), decoded(given), input)
  end
end

-- ---- routes ----

local function walk(node, parts, at)
  local part = parts[at]
  if not part then return node end
  local next = node[part]
  local found = next and walk(next, parts, at + 1)
  if found and found.verbs then return found end
  return node["*"] and walk(node["*"], parts, at + 1)
end

local function route_of(path)
  local verb = match(path, ":(%a+)$") or ""
  if verb ~= "" and T.verbs[verb] then
    path = sub(path, 1, #path - #verb - 1)
  else
    verb = ""
  end
  local parts = {}
  for part in string.gmatch(path, "[^/]+") do parts[#parts + 1] = part end
  local node = #parts <= 16 and walk(T.routes, parts, 1)
  return node and node.verbs and node.verbs[verb]
end

local function operation(headers, path)
  local methods = route_of(path)
  if not methods then refuse("route", {}) end
  local found = methods[headers:get(":method")]
  if found then return found end
  local allowed = {}
  for method in pairs(methods) do allowed[#allowed + 1] = method end
  table.sort(allowed)
  refuse("method", { ALLOWED = table.concat(allowed, ", ") })
end

local function has_token(headers)
  return find(string.lower(headers:get("authorization") or ""), "^bearer ") ~= nil
end

local function check_request(handle, headers)
  local path, query = match(headers:get(":path"), "^([^?]*)%??(.*)$")
  local op = operation(headers, path)
  if not op.public and not has_token(headers) then refuse("token", {}) end
  if query ~= "" then check_query(query, op.input) end
  if op.body then
    local body = handle:body()
    local size = body and body:length() or 0
    if size > 0 then check_body(body:getBytes(0, size), op.body) end
  end
end

-- A tunnel has no end that the filters behind could wait for.
local function refuse_tunnel() broken("upgrade", "http.upgrade", "the gateway opens no tunnels and changes no protocol") end

local function respond(handle, refusal)
  local answer = T.answers[refusal.answer]
  local words = refusal.words
  local body = gsub(answer.body, "@(%u+)@", function(word) return words[word] end)
  local headers = { [":status"] = answer.status, ["content-type"] = "application/json" }
  if words.ALLOWED then headers["allow"] = words.ALLOWED end
  if refusal.answer == "token" then headers["www-authenticate"] = "Bearer" end
  handle:headers():replace("x-tongban-gate", "refused")
  handle:respond(headers, body)
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local tunnel = headers:get(":method") == "CONNECT" or headers:get("upgrade")
  if not tunnel and not find(headers:get(":path") or "", "^/v1/") then return end
  if not tunnel and find(headers:get("content-type") or "", "^application/grpc") then return end
  local held, refusal = pcall(tunnel and refuse_tunnel or check_request, handle, headers)
  if held then return end
  text = nil
  if type(refusal) ~= "table" then
    handle:logErr("gate: " .. tostring(refusal))
    refusal = { answer = "fault", words = {} }
  end
  respond(handle, refusal)
end
