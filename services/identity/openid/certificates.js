// Has the device of a certificate's holder sign a text (the page at which it is set, or at which one signs in), and sends what it says with the page's own
// form. How a device is reached its maker knows: the operator brings a script of theirs, which runs before this one and offers
// `tongbanCertificate.sign(text)`, a promise of `{certificate, signature}`, both Base64 of DER.
"use strict";
(() => {
  const form = document.getElementById("certificate"), devices = window.tongbanCertificate;
  if (!form || !devices || typeof devices.sign !== "function") return;

  async function asked() {
    if (form.dataset.text) return form.dataset.text;
    const ticket = new URLSearchParams({ ticket: form.elements.ticket.value });
    const answer = await fetch(form.dataset.ask, { method: "POST", body: ticket });
    if (!answer.ok) throw new Error("over");
    return (await answer.json()).text;
  }

  const button = form.querySelector("button"), failed = document.getElementById("certificate-failed");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    failed.hidden = true;
    try {
      const { certificate, signature } = await devices.sign(await asked());
      form.elements.credential.value = JSON.stringify({ certificate, signature });
      form.submit();
    } catch (error) {
      // The key is not there, its program does not run, its holder gave up or typed a wrong PIN: the program has told them.
      failed.hidden = false;
      button.disabled = false;
    }
  });
  for (const each of document.querySelectorAll("[data-certificates]")) each.hidden = each.dataset.certificates === "no";
})();
