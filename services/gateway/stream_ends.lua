-- How a stream that breaks ends at the JSON edge; runs within Envoy (LuaJIT) around the transcoder, on routes of streams alone.
-- S and LANGUAGES are written before this text by stream_ends.py. What a request is known by, and why its stream broke, stands in its own
-- dynamic metadata, under S.key.

local function known(handle) return handle:streamInfo():dynamicMetadata():get(S.key) end

local function note(handle, key, value) handle:streamInfo():dynamicMetadata():set(S.key, key, value) end

-- ---- behind the transcoder, which keeps nothing of the trailers ----

function note_request(handle)
  if handle:headers():get(S.transcoded) then note(handle, "language", language(handle:headers())) end
end

-- A stream without trailers has not come to its end: nobody said that it had.
function note_end(handle)
  local caller = known(handle)
  if not caller or handle:headers():get("grpc-status") then return end
  local trailers = handle:trailers()
  if trailers and trailers:get("grpc-status") == "0" then return end
  note(handle, "broken", trailers and trailers:get(S.trailer) or S.untold[caller.language])
  if trailers then trailers:remove(S.trailer) end
end

-- ---- before it: what it writes last is the end of the array, behind the trailers ----

function tell_end(handle)
  if not known(handle) or handle:headers():get(":status") ~= "200" then return end
  for chunk in handle:bodyChunks() do
    local reason = known(handle).broken
    local size = chunk:length()
    if reason and size > 0 then
      local text = chunk:getBytes(0, size)
      -- Where nothing but the headers was there before, it writes the status alone, or an array of nothing.
      local before = string.sub(text, -1) == "]" and string.sub(text, 1, -2) or "["
      chunk:setBytes(before .. (before == "[" and "" or ",") .. '{"' .. S.field .. '":' .. reason .. "}]")
    end
  end
end
