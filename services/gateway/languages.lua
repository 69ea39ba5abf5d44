-- Written before the texts that answer callers in words (lua_texts.py); LANGUAGES are libs/rpc/languages.py's.

-- The language of ours that the caller likes best, as libs/rpc/languages.py chooses it.
local function language(headers)
  local best, most, read = LANGUAGES["*"], 0, 0
  for part in string.gmatch(headers:get("accept-language") or "", "[^,]+") do
    read = read + 1
    if read > 16 then break end
    local tag, rest = string.match(part, "^%s*([^-;%s]*)[^;]*(.*)$")
    local weight = string.match(rest, "^;?%s*$") and 1 or tonumber(string.match(rest, "^;%s*[qQ]%s*=%s*([%d.]+)%s*$")) or 0
    local spoken = LANGUAGES[string.lower(tag)]
    if spoken and weight > most and weight <= 1 then best, most = spoken, weight end
  end
  return best
end
