// A client by openid-client that comes with a certificate (RFC 8705): tls_client_auth by the aliases of the discovery document, and a token bound to it.
// node certified.mjs MODULES ISSUER CLIENT_ID CERTIFICATE KEY CA PATH

import { readFileSync } from "node:fs";
import https from "node:https";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, issuer, clientId, certificate, privateKey, authority, api] = process.argv.slice(2);
const entry = createRequire(path.join(modules, "package.json")).resolve("openid-client");
const oidc = await import(pathToFileURL(entry));
const ca = readFileSync(authority);
const own = { cert: readFileSync(certificate), key: readFileSync(privateKey) };

// What fetch of Node's own does not take: a certificate for https; http goes as it is.
const by = (shown) => async (url, { method, headers, body, redirect, signal }) => {
  if (url.startsWith("http://")) return fetch(url, { method, headers, body, redirect, signal });
  return new Promise((resolve, reject) => {
    const asked = https.request(url, { method, headers, ca, minVersion: "TLSv1.3", ...shown, agent: false, signal }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () => resolve(new Response(Buffer.concat(parts), { status: answer.statusCode, headers: answer.headers })));
    });
    asked.on("error", reject);
    asked.end(body ? String(body) : undefined);
  });
};
const why = (error) => error.error ?? error.code ?? String(error);
const opened = async (shown) => {
  const told = { use_mtls_endpoint_aliases: true, tls_client_certificate_bound_access_tokens: true };
  return oidc.discovery(new URL(issuer), clientId, told, oidc.TlsClientAuth(), {
    execute: [oidc.allowInsecureRequests], // the plain listener runs without TLS here
    [oidc.customFetch]: by(shown),
  });
};

const config = await opened(own);
const tokens = await oidc.clientCredentialsGrant(config);
const good = await oidc.tokenIntrospection(config, tokens.access_token);
const without = await oidc.clientCredentialsGrant(await opened({})).catch(why);

const partners = new URL(config.serverMetadata().mtls_endpoint_aliases.token_endpoint).origin;
const called = async (origin, shown) => {
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  const answer = await by(shown)(`${origin}${api}`, { method: "GET", headers });
  return { status: answer.status, challenge: answer.headers.get("www-authenticate") };
};
console.log(
  JSON.stringify({
    partners,
    type: tokens.token_type,
    good,
    without,
    own: await called(partners, own),
    bare: await called(partners, {}),
    plain: await called(new URL(issuer).origin, {}),
  }),
);
process.exit(0);
