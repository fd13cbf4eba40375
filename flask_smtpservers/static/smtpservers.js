/* Makes the pages quicker to use. Every page works without it: this file only asks the server for the same pages
   and puts their parts in place, so no rule and no sentence stands here. */
(() => {
  "use strict";

  const MARK = "<!--smtpservers-->";
  const SECRETS = ["smtp_secret", "client_key"];
  const parse = (html) => new DOMParser().parseFromString(html, "text/html");
  const root = () => document.getElementById("smtpservers");
  const field = (form, name) => form.elements.namedItem(name);

  // ---- what the server says anew is put in place; what a person typed stays

  function refresh(fresh) {
    const focused = document.activeElement.id;
    for (const part of fresh.querySelectorAll("[data-smtp-live][id]")) {
      const old = document.getElementById(part.id);
      if (old && old.innerHTML !== part.innerHTML) old.replaceChildren(...part.childNodes);
    }
    if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
    for (const part of root().querySelectorAll("[data-smtp-nojs]")) part.hidden = true;
  }

  async function ask(form, button) {
    const data = new FormData(form);
    for (const name of SECRETS) data.delete(name);
    data.set(button, "1");
    const answer = await fetch(form.action, { method: "POST", body: data });
    if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
    return parse(await answer.text());
  }

  const FILLED = ["name", "host", "port", "username", "followed", "draft"];

  // What was typed while the answer was on its way stays.
  function copyFields(fresh, form, before) {
    for (const name of FILLED) {
      const from = fresh.querySelector(`#smtp-form [name="${name}"]`);
      if (from && field(form, name).value === before[name]) field(form, name).value = from.value;
    }
    const ssl = fresh.getElementById("smtp-ssl");
    const encryption = fresh.getElementById("smtp-encryption");
    if (field(form, "ssl").checked !== before.ssl || field(form, "encryption").value !== before.encryption) return;
    if (ssl) Object.assign(field(form, "ssl"), { checked: ssl.checked, disabled: ssl.disabled });
    if (encryption) field(form, "encryption").value = encryption.value;
  }

  // ---- the form of a server

  function serverForm(form) {
    const security = () => (field(form, "ssl").checked ? "ssl" : field(form, "encryption").value);
    const usual = Object.fromEntries(form.dataset.ports.split(" ").map((pair) => pair.split(":")));
    let timer = 0;
    let turn = 0;
    let choice = 0;

    function look() {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const mine = ++turn;
        try {
          const fresh = await ask(form, "look");
          if (mine !== turn || !form.isConnected) return;
          refresh(fresh);
          if (fresh.querySelector("#smtp-server-fold .smtp-caution")) document.getElementById("smtp-server-fold").open = true;
        } catch {
          // only hints are missing then; saving and testing say what is wrong
        }
      }, 200);
    }

    async function fill(nativeButton, fold) {
      const mine = ++choice;
      const before = Object.fromEntries([...FILLED, "encryption"].map((name) => [name, field(form, name).value]));
      before.ssl = field(form, "ssl").checked;
      try {
        const fresh = await ask(form, "fill");
        if (mine !== choice || !form.isConnected) return;
        turn += 1; // what was looked at before the choice is out of date
        copyFields(fresh, form, before);
        refresh(fresh);
        form.dataset.username = fresh.getElementById("smtp-form").dataset.username;
        if (document.activeElement !== field(form, "send_as")) prefillUsername();
        const server = document.getElementById("smtp-server-fold");
        if (fold) server.open = fresh.getElementById(server.id).open;
        preview(form);
      } catch {
        nativeButton.click();
      }
    }

    function followEncryption() {
      const port = field(form, "port");
      const [, followed] = field(form, "followed").value.split(":");
      if (port.value.trim() === "" || port.value.trim() === followed) {
        port.value = usual[security()];
        field(form, "followed").value = `${security()}:${port.value}`;
      }
    }

    form.addEventListener("change", ({ target }) => {
      if (target.name === "ssl" || target.name === "encryption") followEncryption();
      if (target.name === "provider" || target.name === "region") fill(form.querySelector('[name="fill"]'), target.name === "provider");
      else if (["ssl", "encryption", "host", "port", "username", "send_as", "sender_format", "reply_to"].includes(target.name)) look();
      else if (["sender_policy", "allowed_senders", "foreign_sender"].includes(target.name)) look();
    });
    form.addEventListener("input", ({ target }) => {
      if (target.name === "port") {
        const value = target.value.trim();
        field(form, "followed").value = value === usual[security()] ? `${security()}:${value}` : "";
      }
      if (["send_as", "sender_format", "reply_to"].includes(target.name)) preview(form);
    });
    function prefillUsername() {
      const username = field(form, "username");
      const { address } = mailbox(field(form, "send_as").value);
      if (username.value === "" && address.includes("@") && form.dataset.username === "address") {
        username.value = address;
        look();
      }
    }
    field(form, "send_as").addEventListener("blur", prefillUsername);
    chooser(form);
    preview(form);
  }

  // ---- the preview, while typing

  function mailbox(text) {
    const match = /^\s*(.*?)\s*<([^<>]*)>\s*$/.exec(text);
    if (!match) return { name: "", address: text.trim() };
    return { name: match[1].replace(/^"(.*)"$/, "$1").replace(/\\(.)/g, "$1"), address: match[2].trim() };
  }

  const plain = /^[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+( [\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+)*$/u;
  const written = (name, address) =>
    !name ? address : `${plain.test(name) ? name : `"${name.replace(/["\\]/g, "\\$&")}"`} <${address}>`;

  function preview(form) {
    const place = document.getElementById("smtp-preview");
    if (!place) return;
    const { name, address } = mailbox(field(form, "send_as").value);
    const values = { name, address, user: place.dataset.user, app: place.dataset.app, tenant: place.dataset.tenant };
    const format = field(form, "sender_format")?.value.trim() || "{name}";
    const shown = ["user", "tenant"].some((token) => format.includes(`{${token}}`) && !values[token])
      ? name || values.app
      : format.replace(/\{(name|address|user|app|tenant)\}/g, (_all, token) => values[token]).trim();
    const none = place.dataset.none;
    const reply = field(form, "reply_to")?.value.trim() || written(shown, address);
    const say = (key, text) => {
      for (const part of form.querySelectorAll(`[data-smtp-preview="${key}"]`)) part.textContent = text;
    };
    say("inbox", address ? shown || address : none);
    say("narrow", address || none);
    say("reply", address ? place.dataset.reply.replace("{sender}", reply) : none);
  }

  // ---- choosing a provider

  function chooser(form) {
    const box = form.querySelector("[data-smtp-chooser]");
    const search = form.querySelector("[data-smtp-search]");
    if (!box || !search) return;
    const found = box.querySelector("[data-smtp-found]");
    const all = box.querySelector("[data-smtp-all]");
    const wasOpen = all.open;
    search.closest(".smtp-search").hidden = false;
    if (box.open && !document.getElementById("smtp-errors")) search.focus();

    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let number = 0;
      for (const choice of box.querySelectorAll("[data-smtp-words]")) {
        choice.hidden = !words.every((word) => choice.dataset.smtpWords.includes(word));
        if (!choice.hidden) number += 1;
      }
      for (const title of all.querySelectorAll("h3")) {
        title.hidden = !title.nextElementSibling.querySelector(".smtp-choice:not([hidden])");
      }
      all.open = words.length > 0 || wasOpen;
      found.textContent = !words.length ? "" : number ? found.dataset.some.replace("{number}", number) : found.dataset.none;
    });
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      const first = box.querySelector(".smtp-choice:not([hidden]) input");
      if (first && search.value.trim()) {
        first.click();
        box.open = false;
        box.querySelector("summary").focus();
      }
    });
    // With the mouse one choice is enough; with the arrow keys people pass over others.
    box.addEventListener("click", (event) => {
      if (event.target.closest(".smtp-choice") && event.detail > 0) {
        setTimeout(() => {
          box.open = false;
          box.querySelector("summary").focus({ focusVisible: false });
        }, 250);
      }
    });
  }

  // ---- "Test SMTP Settings": the steps as they happen

  async function test(button) {
    const form = button.form;
    const panel = button.closest(".smtp-panel") ?? document.querySelector(button.dataset.smtpTest);
    const data = new FormData(form);
    if (button.name) data.set(button.name, button.value);
    data.set("fragment", "1");
    button.setAttribute("aria-disabled", "true");
    panel.hidden = false;
    for (const other of document.querySelectorAll(".smtp-panel")) other.replaceChildren();
    const status = panel.appendChild(document.createElement("p"));
    status.className = "smtp-sr";
    status.setAttribute("role", "status");
    status.textContent = panel.dataset.busy;
    panel.scrollIntoView({ block: "nearest" });
    try {
      const url = button.getAttribute("formaction") || form.getAttribute("action");
      const answer = await fetch(url, { method: "POST", body: data });
      if (answer.status === 422) return replaceForm(form, parse(await answer.text()), button);
      if (!answer.headers.has("X-Smtpservers-Fragment")) return native(form, button);
      await stream(answer, panel, status, button);
    } catch {
      status.className = "smtp-error";
      status.setAttribute("role", "alert");
      status.textContent = panel.dataset.failed;
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }

  async function stream(answer, panel, status, button) {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    let shown = null;
    for (;;) {
      const { done, value } = await reader.read();
      text += value ?? "";
      const complete = done ? text : text.slice(0, Math.max(0, text.lastIndexOf(MARK)));
      shown = grow(panel, shown, parse(complete), status);
      if (done) break;
    }
    const headline = panel.querySelector("[data-smtp-headline]");
    if (!headline) throw new Error("the stream ended early");
    reached(document.querySelector(".smtp-moments li:last-child"));
    takeOver(panel, button.form ?? document.getElementById(button.getAttribute("form")));
    for (const copy of panel.querySelectorAll("[data-smtp-copy]")) copy.hidden = false;
    watchArrival(panel);
    status.textContent = headline.textContent;
    if (document.activeElement === button || document.activeElement === document.body) headline.focus({ preventScroll: true });
    panel.scrollIntoView({ block: "nearest" });
  }

  /** The set-up from an address has come to its last moment. */
  function reached(last) {
    if (!last) return;
    for (const moment of last.parentElement.children) {
      moment.classList.toggle("smtp-past", moment !== last);
      moment.removeAttribute("aria-current");
    }
    last.setAttribute("aria-current", "step");
  }

  /** Add to the panel what the parsed text has more than before. */
  function grow(panel, shown, fresh, status) {
    const run = fresh.querySelector(".smtp-run");
    if (!run) return shown;
    if (!shown) return panel.appendChild(run);
    const list = shown.querySelector(".smtp-steps");
    for (const step of [...run.querySelectorAll(".smtp-step")].slice(list.children.length)) {
      status.textContent = step.innerText || step.textContent.replace(/\s+/g, " ");
      list.append(step);
    }
    const result = run.querySelector(".smtp-result");
    if (result && !shown.querySelector(".smtp-result")) shown.append(result, ...run.querySelectorAll(":scope > input"));
    return shown;
  }

  /** A correction was applied and tested: put what it changed into the form. */
  function takeOver(panel, form) {
    for (const { dataset, value } of panel.querySelectorAll("[data-smtp-set]")) {
      const control = field(form, dataset.smtpSet);
      if (control?.type === "checkbox") control.checked = value === "1";
      else if (control) control.value = value;
    }
    if (panel.querySelector("[data-smtp-set]")) field(form, "host").dispatchEvent(new Event("change", { bubbles: true }));
  }

  /** The input was refused: take the form with the messages from the answer, and keep what was typed secretly.
      After a correction the server alone knows which secrets may go along. */
  function replaceForm(form, fresh, button) {
    const better = fresh.getElementById(form.id) || fresh.querySelector("form.smtp-form");
    if (!better) return native(form, button);
    for (const name of button.name === "fix" ? [] : SECRETS) {
      const [from, to] = [field(form, name), better.elements.namedItem(name)];
      if (from && to) to.value = from.value;
    }
    form.replaceWith(better);
    start(better.parentElement);
    (document.getElementById("smtp-errors") || better.querySelector("[aria-invalid]"))?.focus();
  }

  function native(form, button) {
    if (!button.isConnected) form.append(button); // it stood in a result that was taken away
    button.dataset.smtpNative = "1";
    form.requestSubmit(button);
  }

  async function copy(button) {
    const report = document.querySelector(button.dataset.smtpCopy);
    const status = button.parentElement.querySelector("[data-smtp-copied]");
    try {
      await navigator.clipboard.writeText(report.textContent);
      button.textContent = status.textContent = button.dataset.done;
    } catch {
      getSelection().selectAllChildren(report); // no clipboard without https: the text is ready for Ctrl+C
      report.focus();
    }
  }

  // ---- "Arrived after 6 s": asked again and again while somebody looks at the page

  function watchArrival(within) {
    const place = within.querySelector("[data-smtp-arrival]");
    if (!place?.dataset.smtpArrival) return;
    const again = place.querySelector("[data-smtp-again]");
    let asked = 0;
    let timer = 0;
    again.hidden = true;

    async function look() {
      clearTimeout(timer);
      if (!place.isConnected || !place.dataset.smtpArrival || document.hidden) return;
      asked += 1;
      try {
        const answer = await fetch(`${place.dataset.smtpArrival}?fragment=1`);
        if (!answer.headers.has("X-Smtpservers-Fragment")) asked = Infinity; // signed out meanwhile, say
        else if (arrived(place, parse(await answer.text()))) return;
      } catch {
        // the next one may get through
      }
      if (asked > 100) again.hidden = false;
      else timer = setTimeout(look, asked < 30 ? 2000 : 10_000);
    }

    document.addEventListener("visibilitychange", look);
    timer = setTimeout(look, 1000);
  }

  function arrived(place, fresh) {
    const news = fresh.querySelector("[data-smtp-arrival]");
    if (!news || news.dataset.smtpArrival) return false;
    place.dataset.smtpArrival = "";
    place.closest(".smtp-run").querySelector(".smtp-step-waiting")?.replaceWith(fresh.querySelector(".smtp-step"));
    place.querySelector(".smtp-icon").replaceWith(news.querySelector(".smtp-icon"));
    place.querySelector("[data-smtp-again]").remove();
    place.querySelector("[role=status]").textContent = news.querySelector("[role=status]").textContent;
    return true;
  }

  // ---- "Change password" in a dialog

  async function openDialog(link) {
    let content;
    try {
      const answer = await fetch(link.href);
      content = answer.redirected ? null : parse(await answer.text()).querySelector("[data-smtp-dialog-content]");
    } catch {
      content = null;
    }
    if (!content) return location.assign(link.href);
    const dialog = document.createElement("dialog");
    dialog.className = "smtp-dialog";
    dialog.setAttribute("aria-labelledby", "smtp-password-title");
    dialog.append(content);
    root().append(dialog);
    const version = document.querySelector('#smtp-form [name="version"]');
    // Somebody else's change since this page was opened must be noticed, also by the small form.
    if (version) dialog.querySelector('[name="version"]').value = version.value;
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("click", (event) => {
      if (event.target.closest("[data-smtp-close]")) {
        event.preventDefault();
        dialog.close();
      }
    });
    dialog.addEventListener("submit", (event) => {
      event.preventDefault();
      sendDialog(dialog, event.target, event.submitter);
    });
    dialog.showModal();
    dialog.querySelector("[autofocus]")?.focus();
  }

  async function sendDialog(dialog, form, button) {
    let answer, fresh;
    try {
      answer = await fetch(form.action, { method: "POST", body: new FormData(form, button) });
      fresh = parse(await answer.text());
    } catch {
      return form.submit();
    }
    const content = fresh.querySelector("[data-smtp-dialog-content]");
    if (content) {
      dialog.replaceChildren(content);
      return dialog.querySelector("[aria-invalid]")?.focus();
    }
    dialog.close();
    const theirs = fresh.querySelector('#smtp-form [name="version"]');
    if (!theirs) return location.reload();
    document.querySelector('#smtp-form [name="version"]').value = theirs.value;
    refresh(fresh);
    for (const old of document.querySelectorAll("#smtp-password > .smtp-message")) old.remove();
    document.getElementById("smtp-password").prepend(...fresh.querySelectorAll("#smtpservers > .smtp-message"));
    document.querySelector("[data-smtp-dialog]")?.focus();
  }

  // ---- the list

  function filter(input) {
    const rows = [...document.querySelectorAll(`${input.dataset.smtpFilter} [data-smtp-text]`)];
    const count = document.querySelector("[data-smtp-count]");
    const button = input.form.querySelector("button");
    if (input.value) return; // the server has filtered already
    button.hidden = true;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const other of document.querySelectorAll(".smtp-builtin, .smtp-order")) other.hidden = words.length > 0;
      for (const row of rows) row.hidden = !words.every((word) => row.dataset.smtpText.includes(word));
      const shown = rows.filter((row) => !row.hidden).length;
      count.textContent = words.length
        ? count.dataset.some.replace("{shown}", shown).replace("{all}", rows.length)
        : "";
    });
  }

  function closeMenus(except) {
    for (const menu of document.querySelectorAll("[data-smtp-menu][open]")) if (menu !== except) menu.open = false;
  }

  // ---- a search takes a few seconds

  document.addEventListener("submit", ({ target, submitter }) => {
    if (!target.dataset.smtpBusy || submitter?.name === "manual") return;
    target.querySelector("[data-smtp-status]").textContent = target.dataset.smtpBusy;
  });

  // ---- starting

  function start(within) {
    for (const part of within.querySelectorAll("[data-smtp-nojs]")) part.hidden = true;
    for (const button of within.querySelectorAll("[data-smtp-copy]")) button.hidden = false;
    for (const form of within.querySelectorAll("[data-smtp-form]")) serverForm(form);
    for (const input of within.querySelectorAll("[data-smtp-filter]")) filter(input);
    watchArrival(within);
    testAtOnce(within.querySelector("[data-smtp-autotest]"));
  }

  // A change that was just saved is tested without another press; going back to the page does not test it again.
  function testAtOnce(form) {
    if (!form || location.hash !== "#test") return;
    history.replaceState(null, "", location.pathname + location.search);
    form.requestSubmit(form.querySelector("button"));
  }

  document.addEventListener("click", (event) => {
    const tester = event.target.closest("[data-smtp-test]");
    if (tester && !tester.dataset.smtpNative) {
      event.preventDefault();
      if (tester.getAttribute("aria-disabled") !== "true") test(tester);
    }
    const copier = event.target.closest("[data-smtp-copy]");
    if (copier) copy(copier);
    const link = event.target.closest("a[data-smtp-dialog]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      openDialog(link);
    }
    closeMenus(event.target.closest("[data-smtp-menu]"));
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest?.("[data-smtp-menu][open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  if (root()) {
    start(root());
    (document.getElementById("smtp-errors") || document.getElementById("smtp-confirm") || document.getElementById("smtp-conflict"))?.focus();
  }
})();
