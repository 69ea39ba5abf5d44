"use strict";
// Search, and trying a call. It talks to this site alone (connect-src 'self'); the token stays in the page's memory.
const search = document.getElementById("search");
const nothing = document.getElementById("nothing");
const blocks = [...document.querySelectorAll("details")];
const texts = new Map(blocks.map((block) => [block, block.textContent.toLowerCase()]));

const show = () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const block of blocks) {
    const fits = words.every((word) => texts.get(block).includes(word));
    block.hidden = !fits;
    found += fits;
  }
  for (const card of document.querySelectorAll("[data-group]")) {
    card.hidden = words.length > 0 && !card.querySelector("details:not([hidden])");
  }
  nothing.hidden = found > 0;
};
search.addEventListener("input", show);

const open = () => {
  const block = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!block) return;
  if (block.tagName === "DETAILS") block.open = true;
  block.scrollIntoView();
};
addEventListener("hashchange", open);
open();

const send = async (form) => {
  const said = form.querySelector("output");
  const body = form.querySelector("textarea");
  const headers = { "accept-language": document.documentElement.lang };
  const token = document.getElementById("token").value.trim();
  if (token && !form.dataset.public) headers.authorization = `Bearer ${token}`;
  if (body) headers["content-type"] = "application/json";
  said.textContent = "…";
  try {
    const answer = await fetch(form.querySelector("input").value, {
      method: form.dataset.verb,
      headers,
      body: body ? body.value : undefined,
    });
    const text = await answer.text();
    let shown = text;
    try {
      shown = JSON.stringify(JSON.parse(text), null, 2);
    } catch {}
    const receipt = answer.headers.get("tongban-receipt");
    said.textContent = `${answer.status} ${answer.statusText}\n${receipt ? `tongban-receipt: ${receipt}\n` : ""}\n${shown}`;
  } catch (error) {
    said.textContent = String(error);
  }
};
document.addEventListener("submit", (event) => {
  event.preventDefault();
  send(event.target);
});
