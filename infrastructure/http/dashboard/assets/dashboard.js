// The live feed and the streamed answer. Whatever comes from the log or a model is set as text, never as markup.
"use strict";

(() => {
  const FEED = 40; // lines kept
  const QUIET = 2000; // milliseconds between two renewals of the figures

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // ---- the live feed ----

  function line(one) {
    const item = element("li");
    const time = element("time", "soft", String(one.at).slice(11, 19));
    time.dateTime = one.at;
    const link = element("a", "mono", String(one.run).slice(-12));
    link.href = "/dashboard/runs/" + encodeURIComponent(one.run);
    const says = element("span", "says");
    says.append(element("b", "", one.type), " ", one.says);
    item.append(time, link, says);
    return item;
  }

  function follow(feed) {
    const state = document.getElementById("feed-state");
    let source = null, due = null;

    function renew() {
      if (due !== null) return;
      due = setTimeout(() => {
        due = null;
        if (document.getElementById("nothing-yet")) location.reload(); // there is a picture now
        else htmx.trigger(document.body, "news");
      }, QUIET);
    }
    function open() {
      source = new EventSource(feed.dataset.live);
      source.onopen = () => { state.textContent = "connected"; };
      source.onerror = () => { state.textContent = "connecting again"; };
      source.addEventListener("happened", (event) => {
        const soft = feed.querySelector("li.soft");
        if (soft) soft.remove();
        feed.prepend(line(JSON.parse(event.data)));
        while (feed.children.length > FEED) feed.lastElementChild.remove();
        renew();
      });
    }
    window.addEventListener("pagehide", () => source.close());
    window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });
    open();
  }

  // ---- the playground ----

  const part = (id) => document.getElementById(id);

  function show(state, facts) {
    part("answer-state").textContent = state;
    part("answer-facts").textContent = facts || "";
  }

  function link(run) {
    part("answer-link").href = "/dashboard/runs/" + encodeURIComponent(run);
    part("answer-link").hidden = false;
  }

  const HEARD = {
    started: (data) => { link(data.run); show("asking"); },
    delta: (data) => { part("answer-text").textContent += data.text; show("answering"); },
    done: (data) => {
      part("answer-text").textContent = data.text;
      const unreal = data.money === "real" ? "" : " (" + data.money + ")";
      show("done", data.model + ", " + data.cost + unreal + ", confidence " + data.confidence);
    },
    failed: (data) => { if (data.run) link(data.run); show("failed", data.message); },
  };

  function hear(block) {
    let name = "", data = "";
    for (const one of block.split("\n")) {
      if (one.startsWith("event: ")) name = one.slice(7);
      if (one.startsWith("data: ")) data += one.slice(6);
    }
    if (name in HEARD) HEARD[name](JSON.parse(data));
  }

  async function run(form, button) {
    part("answer").hidden = false;
    part("answer-text").textContent = "";
    part("answer-link").hidden = true;
    show("starting");
    button.disabled = true;
    try {
      const response = await fetch(button.formAction, {
        method: "POST", body: new URLSearchParams(new FormData(form)), headers: { accept: "text/event-stream" },
      });
      if (!(response.headers.get("content-type") || "").startsWith("text/event-stream")) {
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        const problem = page.querySelector("main p");
        show("failed", problem ? problem.textContent : "the service did not answer");
        return;
      }
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        blocks.forEach(hear);
      }
    } catch {
      show("failed", "the connection broke: the run's trail says how far it came");
    } finally {
      button.disabled = false;
      part("answer").scrollIntoView({ block: "nearest" });
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const feed = document.getElementById("feed");
    if (feed) follow(feed);
    const form = document.getElementById("playground");
    if (!form) return;
    form.addEventListener("submit", (event) => {
      if (!event.submitter || !event.submitter.dataset.stream) return;
      event.preventDefault();
      run(form, event.submitter);
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.querySelector("button.primary").click();
    });
  });
})();
