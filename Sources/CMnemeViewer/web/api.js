// The server's public interface, called with the visitor's own key.

const root = new URL(".", location.href);
const store = sessionStorage;

/** An answer that says no, or none at all. */
export class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The key, for this tab alone: it is gone when the tab is closed. */
export const key = {
  get: () => store.getItem("mneme.key") ?? "",
  set: (value) => (value ? store.setItem("mneme.key", value) : store.removeItem("mneme.key")),
};

/** Whose memories are shown; empty for the key's own. */
export const scope = {
  get: () => ({ user: store.getItem("mneme.user") || undefined,
    tenant: store.getItem("mneme.tenant") || undefined }),
  set: ({ user, tenant }) => {
    store.setItem("mneme.user", user ?? "");
    store.setItem("mneme.tenant", tenant ?? "");
  },
};

/** Told when a key is missing or refused. */
export const asks = new EventTarget();

function address(path, query) {
  const url = new URL(path, root);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

async function ask(method, path, { query, body, signal } = {}) {
  const headers = {};
  if (key.get()) headers.Authorization = `Bearer ${key.get()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(address(path, query), {
      method, headers, signal, credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "unreachable", "The server does not answer. Is `mneme serve` still running?");
  }
  if (answer.ok) return answer;
  let told = {};
  try { told = (await answer.json()).error ?? {}; } catch { /* No JSON: the status alone says it. */ }
  const refusal = new Refusal(answer.status, told.code ?? "",
    told.message ?? `The server answered ${answer.status}.`);
  if (answer.status === 401) asks.dispatchEvent(new Event("key"));
  throw refusal;
}

const json = async (...call) => (await ask(...call)).json();

export const get = (path, query, signal) => json("GET", path, { query, signal });
export const post = (path, body = {}, signal) => json("POST", path, { body, signal });
export const patch = (path, body) => json("PATCH", path, { body });
export const remove = (path, query) => json("DELETE", path, { query });

/** The path of a memory, or of something under it. */
export const memoryPath = (id, rest = "") => `v1/memories/${encodeURIComponent(id)}${rest}`;

/** A query or body with the scope. */
export const scoped = (values = {}) => ({ ...scope.get(), ...values });

let known;
/** Who the visitor is to the server: name, permissions, whose memories are theirs. */
export const me = () => (known ??= get("v1/whoami").catch((error) => { known = undefined; throw error; }));
/** Asks again: the key has changed. */
export const forgetMe = () => { known = undefined; };
/** True if the visitor has a permission. */
export const may = async (permission) => (await me()).permissions.includes(permission);

/** Events of a stream, parsed, until its end. */
export async function* events(path, body, signal) {
  const answer = await ask("POST", path, { body, signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      if (!part.startsWith("data: ")) continue;
      const text = part.slice(6);
      if (text === "[DONE]") return;
      const event = JSON.parse(text);
      if (event.error) throw new Refusal(500, event.error.code, event.error.message);
      yield event;
    }
  }
}
