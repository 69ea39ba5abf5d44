// A relying party by openid-client that proves a key (DPoP, RFC 9449): at the pushed request, for the code, to refresh, and at an API.
// node bound.mjs MODULES ISSUER CLIENT_ID KEY(JWK) REDIRECT API; then the address that the browser came back to, on standard input.

import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";

const [modules, issuer, clientId, jwk, redirect, api] = process.argv.slice(2);
const entry = createRequire(path.join(modules, "package.json")).resolve("openid-client");
const oidc = await import(pathToFileURL(entry));

const { kid, ...secret } = JSON.parse(jwk);
const key = await crypto.subtle.importKey("jwk", secret, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
const config = await oidc.discovery(new URL(issuer), clientId, undefined, oidc.PrivateKeyJwt({ key, kid }), {
  execute: [oidc.allowInsecureRequests], // the region runs without TLS here
});
const say = (told) => console.log(JSON.stringify(told));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair("ES256"));
const DPoP256 = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair("PS256"));
const stranger = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair("ES256"));
const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
const checks = { pkceCodeVerifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce() };
const asked = {
  redirect_uri: redirect,
  scope: "openid profile offline_access identity.departments.list",
  code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: checks.expectedState,
  nonce: checks.expectedNonce,
};
say({ location: (await oidc.buildAuthorizationUrlWithPAR(config, asked, { DPoP })).href });

const back = new URL((await lines.next()).value);
const why = (error) => error.error ?? error.code ?? String(error);
const strangers = await oidc.authorizationCodeGrant(config, back, checks, undefined, { DPoP: stranger }).catch(why);
const tokens = await oidc.authorizationCodeGrant(config, back, checks, undefined, { DPoP });
const claims = tokens.claims();
const user = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP });
const call = async (token, handle) => {
  const answer = await oidc
    .fetchProtectedResource(config, token, new URL(api), "GET", undefined, undefined, { DPoP: handle })
    .catch((error) => error.response ?? error.cause?.response ?? error);
  return answer.status;
};
const called = await call(tokens.access_token, DPoP);
const copied = await call(tokens.access_token, stranger);
const bearer = await fetch(api, { headers: { authorization: `Bearer ${tokens.access_token}` } });
const unproven = await oidc.refreshTokenGrant(config, tokens.refresh_token).catch(why);
const fresh = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
// Another kind of key from now on: the client itself has proven who it is.
const other = await oidc.refreshTokenGrant(config, fresh.refresh_token, undefined, { DPoP: DPoP256 });
const good = await oidc.tokenIntrospection(config, other.access_token);
say({
  claims,
  user,
  strangers,
  called,
  copied,
  bearer: { status: bearer.status, challenge: bearer.headers.get("www-authenticate") },
  unproven,
  types: [tokens.token_type, fresh.token_type, other.token_type],
  rsa: await call(other.access_token, DPoP256),
  good,
});
process.exit(0);
