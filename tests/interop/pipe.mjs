// One JSON object a line: commands come in on stdin, events go out on stdout.
// {"id": 1, "do": "call", ...arguments} is answered by {"event": "done", "id": 1, "result": ...}
// or by {"event": "failed", "id": 1, "error": {"name", "code", "message", "details"}}.
import { createInterface } from "node:readline";

export function say(event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

export function obey(commands) {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", async (line) => {
    const { id, do: name, ...args } = JSON.parse(line);
    try {
      const result = await commands[name](args);
      say("done", { id, result: result ?? null });
    } catch (error) {
      say("failed", { id, error: plain(error) });
    }
  });
  // Whoever started this process is gone.
  lines.on("close", () => process.exit(0));
}

// What ocpp-rpc finds wrong by itself, whichever side did it: a schema that isn't met, a frame that can't be read.
export function complain(client, identity) {
  client.on("strictValidationFailure", ({ method, params, result, error, outbound, isCall }) =>
    say("strict_validation_failure", { identity, action: method, params, result, outbound, isCall, error: plain(error) }),
  );
  client.on("badMessage", ({ buffer, error }) =>
    say("bad_message", { identity, text: buffer.toString("utf8"), error: plain(error) }),
  );
  client.on("socketError", (error) => say("socket_error", { identity, error: plain(error) }));
}

// Answers to the peer's CALLs: a payload, a function of the request, or {error: {code, message}}.
export class Answers {
  constructor(table, refuse) {
    this.usual = Object.entries(table);
    this.refuse = refuse;
    this.reset();
  }

  reset() {
    this.table = new Map(this.usual);
  }

  set({ action, payload, error }) {
    this.table.set(action, error === undefined ? payload : () => { throw this.refuse(error.code, error.message); });
  }

  // Attach to a client; every CALL is told of, with the answer that it got.
  serve(client, identity) {
    client.handle(({ method: action, params: payload }) => {
      try {
        const answer = this.to(action, payload, identity);
        say("call", { identity, action, payload, answer });
        return answer;
      } catch (error) {
        say("call", { identity, action, payload, answer: null, error: plain(error) });
        throw error;
      }
    });
  }

  to(action, payload, identity) {
    const answer = this.table.get(action);
    if (answer === undefined) {
      throw this.refuse("NotImplemented", `no answer to ${action}`);
    }
    return typeof answer === "function" ? answer(payload, identity) : answer;
  }
}

function plain(error) {
  return {
    name: error.name,
    code: error.rpcErrorCode ?? error.code ?? null,
    message: error.message,
    details: error.details ?? null,
  };
}
