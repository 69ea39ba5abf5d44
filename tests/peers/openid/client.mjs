// A relying party by openid-client: it tells where it sends a browser, reads where the browser came back, and tells what it got.
// node client.mjs MODULES ISSUER CLIENT_ID KEY(JWK) REDIRECT; then the address that the browser came back to, on standard input.

import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";

const [modules, issuer, clientId, jwk, redirect] = process.argv.slice(2);
const entry = createRequire(path.join(modules, "package.json")).resolve("openid-client");
const oidc = await import(pathToFileURL(entry));

const { kid, ...secret } = JSON.parse(jwk);
const key = await crypto.subtle.importKey("jwk", secret, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
const config = await oidc.discovery(new URL(issuer), clientId, undefined, oidc.PrivateKeyJwt({ key, kid }), {
  execute: [oidc.allowInsecureRequests], // the region runs without TLS here
});
const say = (told) => console.log(JSON.stringify(told));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
const checks = { pkceCodeVerifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce(), maxAge: 600 };
const asked = {
  redirect_uri: redirect,
  scope: "openid profile offline_access",
  code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: checks.expectedState,
  nonce: checks.expectedNonce,
  max_age: "600",
};
say({ location: (await oidc.buildAuthorizationUrlWithPAR(config, asked)).href });

const back = new URL((await lines.next()).value);
const tokens = await oidc.authorizationCodeGrant(config, back, checks);
const claims = tokens.claims();
const user = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
const fresh = await oidc.refreshTokenGrant(config, tokens.refresh_token);
const good = await oidc.tokenIntrospection(config, fresh.access_token);
await oidc.tokenRevocation(config, fresh.refresh_token, { token_type_hint: "refresh_token" });
const revoked = await oidc.refreshTokenGrant(config, fresh.refresh_token).catch((error) => error.error);
const goodbye = oidc.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: redirect });
say({ claims, user, good, revoked, freshClaims: fresh.claims(), goodbye: goodbye.href });

const device = await oidc.initiateDeviceAuthorization(config, { scope: "openid offline_access", device_name: "1号机" });
say({ device });
const atDevice = await oidc.pollDeviceAuthorizationGrant(config, device);
say({ claims: atDevice.claims(), refreshed: (await oidc.refreshTokenGrant(config, atDevice.refresh_token)).claims() });
process.exit(0);
