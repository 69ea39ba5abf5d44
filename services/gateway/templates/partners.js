"use strict";
// A key is made here and stays here: what is sent is its public half, and assertions that it signed. It talks to this site alone (connect-src 'self').
const page = document.querySelector("[data-words]");
const words = JSON.parse(page.dataset.words);
const at = (id) => document.getElementById(id);
let made = null;
let requestId = null;

const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const coded = (value) => text(new TextEncoder().encode(JSON.stringify(value)));
const curve = { name: "ECDSA", namedCurve: "P-256" };

const makeKey = async () => {
  const pair = await crypto.subtle.generateKey(curve, true, ["sign", "verify"]);
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey("jwk", pair.privateKey);
  const kid = crypto.randomUUID();
  made = { kty, crv, x, y, d, kid, alg: "ES256", use: "sig" };
  at("jwks").value = JSON.stringify({ keys: [{ kty, crv, x, y, kid, alg: "ES256", use: "sig" }] }, null, 1);
  requestId = null;
  keep();
};

const credentials = () => ({ client_id: at("client_id").value.trim(), issuer: page.dataset.issuer, private_key_jwk: made });

const keep = () => {
  const link = at("keep");
  if (!made) return;
  if (link.href) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([JSON.stringify(credentials(), null, 1)], { type: "application/json" }));
  link.hidden = false;
};

const refused = async (answer) => {
  const said = await answer.json().catch(() => ({}));
  const fields = (said.details || []).flatMap((each) => each.fieldViolations || []).map((each) => `${each.field}: ${each.description}`);
  const localized = (said.details || []).find((each) => each.message && each.locale);
  const reason = said.reason || (said.details || []).map((each) => each.reason).find(Boolean) || "";
  return new Error([`${answer.status} ${reason}`, localized?.message || said.message || said.error_description || "", ...fields].filter(Boolean).join("\n"));
};

const asked = async (path, options = {}) => {
  const headers = { "accept-language": document.documentElement.lang, ...options.headers };
  const answer = await fetch(path, { ...options, headers });
  if (!answer.ok) throw await refused(answer);
  return answer.json();
};

const ask = async () => {
  requestId ||= crypto.randomUUID();
  const keys = JSON.parse(at("jwks").value);
  if ((keys.keys || []).some((key) => "d" in key || "k" in key)) throw new Error(words.private);
  const client = {
    displayName: at("display_name").value.trim(),
    kind: "CLIENT_KIND_PARTNER",
    authMethod: "CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT",
    jwks: keys,
    scopes: at("scopes").value.split(/\s+/).filter(Boolean),
    requestNote: at("note").value.trim(),
  };
  const found = await asked("/v1/clients:request", {
    method: "POST",
    headers: { authorization: `Bearer ${at("token").value.trim()}`, "content-type": "application/json" },
    body: JSON.stringify({ client, requestId }),
  });
  requestId = null;
  at("client_id").value = found.name.slice("clients/".length);
  keep();
  return `${found.name}\n${words.states[found.state] || found.state}`;
};

const assertion = async (own) => {
  const key = await crypto.subtle.importKey("jwk", own.private_key_jwk, curve, false, ["sign"]);
  const now = Math.floor(Date.now() / 1000);
  const head = { alg: "ES256", kid: own.private_key_jwk.kid, typ: "JWT" };
  const claims = { iss: own.client_id, sub: own.client_id, aud: `${page.dataset.issuer}/oauth/token`, iat: now, exp: now + 55, jti: crypto.randomUUID() };
  const signed = `${coded(head)}.${coded(claims)}`;
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, new TextEncoder().encode(signed));
  return `${signed}.${text(signature)}`;
};

const tokenForm = async (own) => ({
  grant_type: "client_credentials",
  client_id: own.client_id,
  client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  client_assertion: await assertion(own),
});

const ownCredentials = async () => {
  const file = at("file").files[0];
  const own = file ? JSON.parse(await file.text()) : credentials();
  const id = at("client_id").value.trim();
  const all = own.private_key_jwk ? own : { private_key_jwk: own };
  if (!all.private_key_jwk?.d) throw new Error(words.noKey);
  const found = { client_id: id || all.client_id, private_key_jwk: { ...all.private_key_jwk } };
  if (!/^[a-z0-9][a-z0-9-]{2,62}$/.test(found.client_id || "")) throw new Error(words.noId);
  delete found.private_key_jwk.key_ops;
  return found;
};

const line = (table, head, value) => {
  const row = table.insertRow();
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = head;
  row.append(name);
  row.insertCell().textContent = value;
};

const day = (time) => (time ? new Date(time).toLocaleString(document.documentElement.lang, { timeZone: "Asia/Shanghai" }) : words.open);

const showUse = (use) => {
  const table = at("use");
  table.replaceChildren();
  const limit = (number) => (Number(number || 0) ? number : words.unlimited);
  line(table, words.state, words.states[use.clientState] || use.clientState);
  line(table, words.quota, `${limit(use.quota?.perSecond)} / ${limit(use.quota?.perDay)}`);
  line(table, words.calls, use.calls ?? words.uncounted);
  line(table, words.refused, use.refusedCalls ?? words.uncounted);
  line(table, words.reset, day(use.resetTime));
  line(table, words.scopes, (use.scopes || []).join(" "));
  for (const each of use.credentials || []) line(table, each.replaced ? words.oldKey : words.key, `${each.kid || each.thumbprint || "—"} · ${day(each.endTime)}`);
  line(table, words.end, day(use.expireTime));
  for (const each of use.warnings || []) line(table, words.warning, words.warnings[each] || each);
};

const firstCall = async () => {
  const own = await ownCredentials();
  const { access_token: token } = await asked("/oauth/token", { method: "POST", body: new URLSearchParams(await tokenForm(own)) });
  showUse(await asked(`/v1/clients/${own.client_id}/usage`, { headers: { authorization: `Bearer ${token}` } }));
  const form = Object.entries(await tokenForm(own)).map(([name, value]) => ` -d ${name}=${value}`).join(" \\\n ");
  at("curl").textContent = `TOKEN=$(curl -sS ${page.dataset.base}/oauth/token \\\n ${form} \\\n  | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')\ncurl -sS ${page.dataset.base}/v1/clients/${own.client_id} -H "Authorization: Bearer $TOKEN"`;
  return words.done;
};

const run = async (work, said) => {
  said.className = "lines";
  said.textContent = "…";
  try {
    if (!globalThis.crypto?.subtle) throw new Error(words.insecure);
    said.textContent = (await work()) || "";
  } catch (error) {
    said.className = "lines bad";
    said.textContent = error.message || String(error);
  }
};

at("make").addEventListener("click", () => run(makeKey, at("made")));
at("client_id").addEventListener("input", keep);
for (const [id, work] of [["ask", ask], ["call", firstCall]]) {
  at(id).addEventListener("input", () => { if (id === "ask") requestId = null; });
  at(id).addEventListener("submit", (event) => {
    event.preventDefault();
    run(work, at(id).querySelector("output"));
  });
}
