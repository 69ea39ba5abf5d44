// A partner that signs requests by http-message-signatures: one JSON line of what the gateway said, and whether it takes what we sign.
// node sign.js MODULES URL TOKEN PRIVATE_JWK OURS

const path = require("node:path");
const crypto = require("node:crypto");

const [modules, url, token, jwk, ours] = process.argv.slice(2);
const { createSigner, createVerifier, httpbis } = require(path.join(modules, "node_modules", "http-message-signatures"));

const key = JSON.parse(jwk);
const fields = ["@method", "@target-uri", "authorization"];
const ofBody = ["content-type", "content-digest"];
const signer = createSigner(crypto.createPrivateKey({ key, format: "jwk" }), "ecdsa-p256-sha256", key.kid);

/** Signs a request as the library does, and sends it. */
async function ask(method, where, body) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body) {
    headers["Content-Type"] = "application/json";
    headers["Content-Digest"] = `sha-256=:${crypto.createHash("sha256").update(body).digest("base64")}:`;
  }
  const config = {
    key: signer,
    fields: body ? [...fields, ...ofBody] : fields,
    params: ["created", "expires", "nonce", "keyid", "alg"],
    paramValues: { nonce: crypto.randomUUID() },
  };
  const signed = await httpbis.signMessage(config, { method, url: url + where, headers });
  const send = (content) => fetch(url + where, { method, headers: signed.headers, body: content });
  const changed = body ? await reason(await send(`${body} `)) : null;
  return { changed, first: await reason(await send(body)), again: await reason(await send(body)) };
}

async function reason(answer) {
  const said = await answer.json();
  return answer.ok ? "OK" : said.details[0].reason;
}

async function main() {
  const request = JSON.parse(ours);
  const verify = createVerifier(crypto.createPublicKey({ key, format: "jwk" }), "ecdsa-p256-sha256");
  const keyLookup = async ({ keyid }) => (keyid === key.kid ? { id: keyid, algs: ["ecdsa-p256-sha256"], verify } : null);
  const said = {
    get: await ask("GET", "/v1/departments?pageSize=5"),
    post: await ask("POST", "/v1/licenses:verify", '{"qrContent": "x"}'),
    ours: await httpbis.verifyMessage({ keyLookup, requiredFields: ["@method", "content-digest"] }, request),
    forged: await httpbis.verifyMessage({ keyLookup }, { ...request, method: "PUT" }),
  };
  console.log(JSON.stringify(said));
}

main();
