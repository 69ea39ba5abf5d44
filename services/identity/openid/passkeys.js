// Has the browser make a passkey (the page at which one is added) or show one (the page at which one signs in), and sends what it says with the
// page's own form. The pages allow this file and no other script. Options and answers are WebAuthn's JSON (Level 3, 5.1.8 to 5.1.10), read and written
// by hand: many browsers that have passkeys have no functions for it yet.
"use strict";
(() => {
  const form = document.getElementById("passkey");
  if (!form || !window.PublicKeyCredential || !navigator.credentials) return;

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
  const text = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (each) => String.fromCharCode(each)).join(""))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const listed = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));

  async function made() {
    const options = JSON.parse(form.dataset.options);
    options.challenge = bytes(options.challenge);
    options.user.id = bytes(options.user.id);
    options.excludeCredentials = listed(options.excludeCredentials);
    return navigator.credentials.create({ publicKey: options });
  }

  async function shown() {
    const ticket = new URLSearchParams({ ticket: form.elements.ticket.value });
    const answer = await fetch(form.dataset.ask, { method: "POST", body: ticket });
    if (!answer.ok) throw new Error("over");
    const options = await answer.json();
    options.challenge = bytes(options.challenge);
    options.allowCredentials = listed(options.allowCredentials);
    return navigator.credentials.get({ publicKey: options });
  }

  function told(credential) {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
  }

  const button = form.querySelector("button"), failed = document.getElementById("passkey-failed");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    failed.hidden = true;
    try {
      form.elements.credential.value = told(await (form.dataset.options ? made() : shown()));
      form.submit();
    } catch (error) {
      // The user gave up, or waited too long, or has none: browsers don't say which, so that no page learns who has a passkey.
      failed.hidden = false;
      button.disabled = false;
    }
  });
  for (const each of document.querySelectorAll("[data-passkeys]")) each.hidden = each.dataset.passkeys === "no";
})();
