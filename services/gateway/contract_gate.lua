-- The gate for JSON requests: what the contract does not know is refused by name, before the transcoder, which drops it.
-- Runs within Envoy (LuaJIT). T is written before this text by contract_gate.py: routes, types, enums, templates of answers.
-- A value's kind is a text: "" any scalar, "*" anything, "mName" a message, "eName" an enum; "[" before it a list, "{" a map.

local MOST_TOKENS, MOST_ESCAPES, MOST_DEPTH, MOST_NAME, MOST_NAMED = 100000, 1000000, 32, 120, 20
local find, sub, byte, gsub, match = string.find, string.sub, string.byte, string.gsub, string.match

local function refuse(answer, words) error({ answer = answer, words = words or {} }, 0) end

-- The request whose turn it is: whether it is gRPC's, which operation it asks for, what is wrong with it (the first of them),
-- and how much that is. All requests of a thread share the variables of this text, so one that waited puts its own back
-- before it goes on.
local now

local function broken(field, rule, description)
  now.count = now.count + 1
  if now.count <= MOST_NAMED then now.named[now.count] = { FIELD = field, RULE = rule, DESCRIPTION = description } end
end

-- What can't be read further.
local function unreadable(field, rule, description)
  broken(field, rule, description)
  refuse("fields")
end

-- Only what can stand in JSON and in a log without harm.
local function plain(text)
  text = gsub(text, '[^%w%._%[%]:@/ ,%-]', "?")
  return #text > MOST_NAME and sub(text, 1, MOST_NAME) .. "..." or text
end

local function join(path, name) return path == "" and name or path .. "." .. name end

-- A value is given by its name or by its number; ``known`` are the texts that stand for either.
local function enum_value(path, kind, known, value)
  local names = T.enums[kind]
  if known and not find(known, "|" .. value .. "|", 1, true) then
    -- The name of "not said" is taken, and proposed to nobody.
    local proposed = gsub(sub(names, 2, -2), "^[%u%d_]+_UNSPECIFIED|", "")
    broken(path, "enum.defined_only", "must be one of " .. gsub(proposed, "|", ", "))
  end
end

local function enum_name(path, kind, value) enum_value(path, kind, T.enums[kind], value) end

local function enum_number(path, kind, value)
  local number = tonumber(value) or 0.5
  enum_value(path, kind, T.numbers[kind], number % 1 == 0 and string.format("%.0f", number) or "no number")
end

-- ---- JSON (RFC 8259) ----

local text, tokens, escapes

local function skip(at)
  local _, last = find(text, "^[ \t\r\n]*", at)
  return last + 1
end

local function no_json(path) unreadable(path, "json", "the body is not JSON (RFC 8259)") end

local function code_at(at) return tonumber(match(text, "^\\u(%x%x%x%x)", at) or "", 16) end

-- Returns where the escape at a backslash ends; half of a pair of surrogates is no character.
local function escape_end(at, path)
  escapes = escapes + 1
  if escapes > MOST_ESCAPES then unreadable(path, "json.size", "the body holds too many escapes") end
  if find(text, '^["\\/bfnrt]', at + 1) then return at + 2 end
  local code = code_at(at)
  if not code or code >= 0xDC00 and code <= 0xDFFF then no_json(path) end
  if code < 0xD800 or code > 0xDFFF then return at + 6 end
  local low = code_at(at + 6)
  if not low or low < 0xDC00 or low > 0xDFFF then no_json(path) end
  return at + 12
end

local function string_end(at, path)
  local from = at + 1
  while true do
    local found = find(text, '["\\%z\1-\31]', from)
    if not found then no_json(path) end
    local what = byte(text, found)
    if what == 34 then return found end
    if what ~= 92 then no_json(path) end
    from = escape_end(found, path)
  end
end

local SHORT = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function utf8(code)
  local char, low = string.char, function(bits) return 0x80 + math.floor(code / bits) % 64 end
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + math.floor(code / 64), low(1)) end
  if code < 0x10000 then return char(0xE0 + math.floor(code / 4096), low(64), low(1)) end
  return char(0xF0 + math.floor(code / 262144), low(4096), low(64), low(1))
end

-- The name between two quotes: two that are written differently may be the same.
local function key_text(from, last)
  if not find(sub(text, from, last), "\\", 1, true) then return sub(text, from, last) end
  local parts, at = {}, from
  while at <= last do
    local plain_end = (find(text, '[\\"]', at)) - 1
    parts[#parts + 1] = sub(text, at, plain_end)
    at = plain_end + 1
    if at > last then break end
    local code, what = code_at(at), sub(text, at + 1, at + 1)
    if not code then
      parts[#parts + 1], at = SHORT[what] or what, at + 2
    elseif code >= 0xD800 and code <= 0xDBFF then
      parts[#parts + 1], at = utf8(0x10000 + (code - 0xD800) * 0x400 + code_at(at + 6) - 0xDC00), at + 12
    else
      parts[#parts + 1], at = utf8(code), at + 6
    end
  end
  return table.concat(parts)
end

local value

-- A field that is null is one that is not there; an element or an entry can't be, and the transcoder makes nothing or something of it.
local function check_null(at, kind, path)
  if kind ~= "*" and sub(text, at, at + 3) == "null" then broken(path, "json.null", "a list or a map holds no null") end
end

local function items(at, kind, path, depth)
  at = skip(at + 1)
  if byte(text, at) == 93 then return at + 1 end
  local place = 0
  while true do
    check_null(at, kind, path .. "[" .. place .. "]")
    at = skip(value(at, kind, path .. "[" .. place .. "]", depth))
    local what = byte(text, at)
    if what == 93 then return at + 1 end
    if what ~= 44 then no_json(path) end
    at, place = skip(at + 1), place + 1
  end
end

local function member_kind(fields, kind, name, path, seen)
  local field, of = name, sub(kind, 1, 1) == "{" and sub(kind, 2) or "*"
  if fields then
    local known = fields[name]
    if not known then broken(join(path, plain(name)), "json.unknown_field", "the contract knows no such field here") end
    -- A field has two names, its own and that of the JSON mapping: it stands once under either.
    field, of = match(known or "", "^([^ ]*) (.*)$")
    field, of = field or name, of or "*"
  end
  if seen[field] then broken(join(path, plain(name)), "json.duplicate_field", "the field stands twice") end
  seen[field] = true
  return field, of
end

local function members(at, kind, path, depth, bound)
  local fields, seen = sub(kind, 1, 1) == "m" and T.types[sub(kind, 2)] or nil, {}
  at = skip(at + 1)
  if byte(text, at) == 125 then return at + 1 end
  while true do
    if byte(text, at) ~= 34 then no_json(path) end
    local last = string_end(at, path)
    local name = key_text(at + 1, last - 1)
    local field, of = member_kind(fields, kind, name, path, seen)
    local within = bound and bound[field]
    if within == true then broken(join(path, plain(name)), "json.bound_by_path", "the path says it already") end
    at = skip(last + 1)
    if byte(text, at) ~= 58 then no_json(path) end
    at = skip(at + 1)
    if sub(kind, 1, 1) == "{" then check_null(at, of, join(path, plain(name))) end
    -- What the path says is refused already, whatever it holds.
    at = skip(value(at, of, join(path, plain(name)), depth, within ~= true and within or nil))
    local what = byte(text, at)
    if what == 125 then return at + 1 end
    if what ~= 44 then no_json(path) end
    at = skip(at + 1)
  end
end

local function number_end(at)
  local _, last = find(text, "^-?%d+", at)
  if not last then return nil end
  local _, fraction = find(text, "^%.%d+", last + 1)
  last = fraction or last
  local _, exponent = find(text, "^[eE][+-]?%d+", last + 1)
  return exponent or last
end

local function scalar(at, kind, path)
  local last = number_end(at)
  local word = not last and match(text, "^%l+", at)
  if not last and word ~= "true" and word ~= "false" and word ~= "null" then no_json(path) end
  last = last or at + #word - 1
  if sub(kind, 1, 1) == "e" and word ~= "null" then enum_number(path, sub(kind, 2), sub(text, at, last)) end
  return last + 1
end

function value(at, kind, path, depth, bound)
  tokens = tokens + 1
  if tokens > MOST_TOKENS then unreadable(path, "json.size", "the body holds too many values") end
  if depth > MOST_DEPTH then unreadable(path, "json.depth", "the body is nested too deeply") end
  local what, first = byte(text, at), sub(kind, 1, 1)
  if what == 91 then
    -- The transcoder takes a list within a list apart, and one of nothing for nothing.
    if first ~= "[" and kind ~= "*" then broken(path, "json.list", "the contract has no list here") end
    return items(at, first == "[" and sub(kind, 2) or "*", path, depth + 1)
  elseif what == 123 then
    -- A list's element or a scalar that is an object: the transcoder says what is wrong with it.
    return members(at, first == "[" and "*" or kind, path, depth + 1, bound)
  elseif what == 34 then
    local last = string_end(at, path)
    if first == "e" then enum_name(path, sub(kind, 2), key_text(at + 1, last - 1)) end
    return last + 1
  end
  return scalar(at, kind, path)
end

local function check_body(body, op)
  text, tokens, escapes = body, 0, 0
  local last = skip(value(skip(1), op.body, "", 0, op.bound))
  text = nil
  if last <= #body then no_json("") end
end

-- ---- query ----

local function decoded(raw)
  raw = gsub(raw, "+", " ")
  return (gsub(raw, "%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- Returns the field that a parameter names, under the contract's own names, and its kind.
local function field_of(name, input)
  local kind, parts = "m" .. input, {}
  for part in string.gmatch(name, "[^%.]+") do
    local known = sub(kind, 1, 1) == "m" and T.types[sub(kind, 2)][part]
    if not known then return nil end
    parts[#parts + 1], kind = match(known, "^([^ ]*) (.*)$")
  end
  return table.concat(parts, "."), kind
end

local function check_parameter(name, given, op, seen)
  local field, kind = field_of(name, op.input)
  name = plain(name)
  if not field then return broken(name, "query.unknown_parameter", "the contract knows no such parameter here") end
  if op.bound[match(field, "^[^.]*")] then
    broken(name, "query.bound_by_path", "the path says it already")
  elseif op.body then
    -- A body is the whole request: what stood beside it would be said twice, or nowhere.
    broken(name, "query.beside_body", "what this method takes stands in its body")
  end
  local list, enum = match(kind, "^(%[?)e(.*)$")
  if seen[field] and sub(kind, 1, 1) ~= "[" then broken(name, "query.duplicate_parameter", "the parameter stands twice") end
  seen[field] = true
  if not enum or given == "" and list == "" then return end
  local check = find(given, "^-?%d+$") and enum_number or enum_name
  check(name, enum, given)
end

local function check_query(query, op)
  local given, seen = 0, {}
  for pair in string.gmatch(query, "[^&]+") do
    given = given + 1
    if given > 200 then unreadable("", "query.size", "the query holds too many parameters") end
    local name, text_given = match(pair, "^([^=]*)=?(.*)$")
    check_parameter(decoded(name), decoded(text_given), op, seen)
  end
end

-- ---- routes ----

-- A part that is named goes before one that may be anything, where its path has the custom verb that is asked for.
local function walk(node, parts, at, verb)
  local part = parts[at]
  if not part then return node.verbs and node.verbs[verb] end
  local next = node[part]
  local found = next and walk(next, parts, at + 1, verb)
  return found or node["*"] and walk(node["*"], parts, at + 1, verb)
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
  return #parts <= 16 and walk(T.routes, parts, 1, verb) or nil
end

local function names_of(methods)
  local names = {}
  for method in pairs(methods) do names[#names + 1] = method end
  table.sort(names)
  return table.concat(names, ", ")
end

local function operation(method, path)
  local methods = route_of(path)
  if not methods then refuse("route") end
  local found = methods[method]
  if not found then refuse("method", { ALLOWED = names_of(methods) }) end
  return found
end

-- A tunnel has no end that the filters behind could wait for. A verb of none of HTTP's own is 501 and not 405 (RFC 9110, 15.6.2).
local function check_method(headers, method, path)
  if not T.methods[method] then
    local allowed = names_of(route_of(match(path, "^[^?]*")) or T.usual)
    refuse(method == "CONNECT" and "method" or "verb", { ALLOWED = allowed })
  end
  if headers:get("upgrade") then refuse("upgrade") end
  -- Whether a page may call is said before this filter, to those of the list; others reach no service.
  local origin = headers:get("origin")
  if method == "OPTIONS" and origin and headers:get("access-control-request-method") and not T.origins[origin] then
    refuse("origin")
  end
  if now.grpc and method ~= "POST" then refuse("method", { ALLOWED = "POST" }) end
end

-- ---- media types ----

-- A path of gRPC takes messages of gRPC, posted, and nothing else.
local function check_rpc(method, path)
  if now.grpc or not T.rpcs[path] then return end
  if method ~= "POST" then refuse("method", { ALLOWED = "POST" }) end
  refuse("media", { TAKEN = T.taken.grpc })
end

-- JSON has one form, UTF-8 (RFC 8259, 8.1), and comes as it is; who says nothing of it is taken at the body's word.
local function check_media(headers)
  local kind, parameters = match(string.lower(headers:get("content-type") or T.taken.json), "^%s*([^;%s]*)%s*(.*)$")
  local charset = match(parameters, ';%s*charset="?([^;"%s]*)') or "utf-8"
  if kind ~= T.taken.json or charset ~= "utf-8" and charset ~= "utf8" then refuse("media", { TAKEN = T.taken.json }) end
  if string.lower(headers:get("content-encoding") or "identity") ~= "identity" then refuse("coding") end
end

local function has_token(headers)
  local scheme = string.lower(match(headers:get("authorization") or "", "^(%a+) ") or "")
  return scheme == "bearer" or scheme == "dpop"
end

-- A proof is for what was asked for here: the transcoder behind makes another verb and path of it. No caller can set these, as what
-- they bring under such names is gone by now. Without a proof nobody asks for them.
local function hand_on(headers, request, method, target)
  if not headers:get(T.proof.header) then return end
  headers:replace(T.proof.method, method)
  headers:replace(T.proof.path, match(target, "^[^?]*"))
  if request then headers:replace(T.proof.request, request) end
end

-- Envoy itself can only reset a stream whose headers are too large for it (HTTP/2), so it takes more than this gate does.
-- What they come to it counts as it reads them (the header mutation before this filter writes it down); lines are counted
-- only where there could be many that cost.
local function check_size(headers, path)
  local bytes = tonumber(headers:get(T.limits.size)) or 0
  headers:remove(T.limits.size)
  if #path > T.limits.path then refuse("path") end
  if bytes > T.limits.headers then refuse("headers") end
  if bytes <= T.limits.few then return end
  local lines = 0
  for _ in pairs(headers) do lines = lines + 1 end
  if lines > T.limits.lines then refuse("headers") end
end

-- Leaves for the log what is ours, or can't be anybody's name.
local function note(handle, key, value)
  handle:streamInfo():dynamicMetadata():set("envoy.filters.http.lua", key, value)
end

local function hex(digits) return string.rep("[0-9a-f]", digits) end

local TRACE = "^00%-(" .. hex(32) .. ")%-" .. hex(16) .. "%-" .. hex(2) .. "$"

-- A call without a trace, or with one that can't be read, begins one here, from the number that Envoy gave it: one id leads from
-- this log to those of the services. Where Envoy sends spans it does so itself.
local function note_trace(handle, headers)
  local parent = headers:get("traceparent") or ""
  local trace = match(parent, TRACE)
  if not trace and not T.traced then
    local id = gsub(headers:get("x-request-id") or "", "-", "")
    parent = "00-" .. id .. "-" .. sub(id, 17) .. "-01"
    trace = match(parent, TRACE)
    if trace then headers:replace("traceparent", parent) end
  end
  if not trace then return end
  note(handle, "traceparent", parent)
  note(handle, "trace_id", trace)
end

-- A request that says it is signed goes to who judges that; what a caller streams by gRPC has no digest before it ends.
local function note_signed(handle, headers, path)
  if not headers:get("signature-input") and not headers:get("signature") then return end
  if T.streamed[path] then refuse("streamed") end
  -- Whose keys they are says the token.
  if sub(path, 1, 4) == "/v1/" and not has_token(headers) then refuse("token") end
  note(handle, "signed", true)
end

-- What Envoy found of the token, which it judges by the keys that it asked for last. A key that it does not know may be so new that it
-- could not ask for it: the service behind asks itself, and refuses, or says that nobody can tell.
local function check_token(handle)
  local found = handle:streamInfo():dynamicMetadata():get(T.judged.filter)
  local failed = found and found[T.judged.failed]
  if not failed or T.judged.passed[failed.message] then return end
  local what = failed.message == T.judged.no_keys and "keys" or "token"
  note(handle, T.judged.refused, what)
  error({ plain = what, words = failed.message }, 0)
end

-- Waits until the body is whole: the one place at which other requests have their turn.
local function body_of(handle)
  local mine = now
  local body = handle:body()
  now = mine
  return body
end

local function check_request(handle, headers, method, target)
  local path, query = match(target, "^([^?]*)%??(.*)$")
  local op = operation(method, path)
  note(handle, "operation", op.name)
  note(handle, "path", op.template)
  if not op.public and not has_token(headers) then refuse("token") end
  if op.body then check_media(headers) end
  if query ~= "" then check_query(query, op) end
  local body = op.body and body_of(handle)
  local size = body and body:length() or 0
  if size > 0 then check_body(body:getBytes(0, size), op) end
  if now.count > 0 then refuse("fields") end
end

local function check(handle, headers)
  now = { named = {}, count = 0, grpc = find(headers:get("content-type") or "", "^application/grpc") }
  local method, target = headers:get(":method"), headers:get(":path") or ""
  note(handle, "method", T.methods[method] and method or "OTHER")
  note(handle, "path", handle:streamInfo():routeName())
  note_trace(handle, headers)
  if find(headers:get("content-type") or "", "^application/grpc%-web") then note(handle, "web", true) end
  check_token(handle)
  local request = headers:get(T.proof.request)
  headers:remove(T.proof.request)
  check_size(headers, target)
  hand_on(headers, request, method, target)
  check_method(headers, method, target)
  note_signed(handle, headers, match(target, "^[^?]*"))
  if sub(target, 1, 4) ~= "/v1/" then return check_rpc(method, match(target, "^[^?]*")) end
  if now.grpc then refuse("route") end
  check_request(handle, headers, method, target)
end

-- ---- answers ----

local function filled(template, words)
  return (gsub(template, "@(%u+)@", function(word) return words[word] end))
end

-- Said in few words: Envoy's own table of answers says the rest, in JSON and in gRPC.
local function respond_plainly(handle, refusal)
  handle:respond({ [":status"] = "401", ["www-authenticate"] = refusal.plain == "token" and T.invalid or nil }, refusal.words)
end

local function respond(handle, refusal)
  if refusal.plain then return respond_plainly(handle, refusal) end
  local answer, words = T.answers[refusal.answer], refusal.words
  if refusal.answer == "fields" then
    local violations = {}
    for place, each in ipairs(now.named) do violations[place] = filled(answer.violation, each) end
    words = {
      FIELD = now.named[1].FIELD, DESCRIPTION = now.named[1].DESCRIPTION, VIOLATIONS = table.concat(violations, ", "),
      OMITTED = now.count > MOST_NAMED and filled(answer.omitted, { COUNT = tostring(now.count - MOST_NAMED) }) or "",
    }
  end
  words.LOCALE = language(handle:headers())
  words.SENTENCE = answer.said[words.LOCALE]
  local headers = { [":status"] = answer.status, ["content-type"] = "application/json" }
  if words.ALLOWED then headers["allow"] = words.ALLOWED end
  if words.TAKEN then headers["accept-post"] = words.TAKEN end
  if refusal.answer == "coding" then headers["accept-encoding"] = "identity" end
  if refusal.answer == "upgrade" then headers["upgrade"], headers["connection"] = T.taken.protocols, "upgrade" end
  if refusal.answer == "token" then headers["www-authenticate"] = T.challenge end
  -- What is whole already; to a gRPC caller Envoy's own table of answers says it in trailers.
  if not now.grpc then handle:headers():replace("x-tongban-gate", "refused") end
  handle:respond(headers, filled(answer.body, words))
end

function envoy_on_request(handle)
  local held, refusal = pcall(check, handle, handle:headers())
  if held then return end
  text = nil
  if type(refusal) ~= "table" then
    handle:logErr("gate: " .. tostring(refusal))
    refusal = { answer = "fault", words = {} }
  end
  respond(handle, refusal)
end

-- What is gRPC's own stays behind: a JSON answer says its status by HTTP, and a receipt by its readable name alone.
function envoy_on_response(handle)
  local headers = handle:headers()
  if headers:get(T.web) then
    headers:remove(T.web)
    headers:replace("content-type", "application/grpc-web+proto")
  end
  if sub(headers:get("content-type") or "", 1, 16) == "application/grpc" then return end
  for name in pairs(T.receipts) do
    local receipt = headers:get(name .. "-bin")
    if receipt then headers:replace(name, receipt) end
    headers:remove(name .. "-bin")
  end
  for name in pairs(T.of_grpc) do headers:remove(name) end
end
